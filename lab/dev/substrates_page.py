"""The page of substrates: what each can do, and which claims of the phases it leaves out, and why.

Made from the abilities, the substrates' classes, and the marks of the scenarios (`needs`). These
also decide what is skipped, so the page cannot differ from a run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from lab.paths import PROJECT
from lab.phases.result import split
from lab.substrates import abilities, on_cluster, registry
from lab.substrates.provider import lacking

FILE = PROJECT / "docs" / "reference" / "substrates.md"
SCENARIOS = PROJECT / "scenarios"
PHASES = (1, 3, 4)
"""Those whose scenarios hold on every substrate, but for what is listed."""
OF_ALL_LABS = (
    abilities.RunsPrograms,
    abilities.Killable,
    abilities.Pausable,
    abilities.Scalable,
    abilities.ChildKillable,
    abilities.ParentKillable,
    abilities.Controllable,
    abilities.Partitionable,
    abilities.Answering,
    abilities.KeepsSeries,
    abilities.SharesFiles,
    abilities.SharesLoopback,
    abilities.Measurable,
    abilities.Watchable,
    abilities.ClustersBroker,
    on_cluster.OnACluster,
    on_cluster.RunsJobs,
)
_HEAD = """\
# Substrates

Made from `lab/substrates/` and the marks of `scenarios/` by `make docs`. Do not edit.

A substrate is where a lab runs: `.venv/bin/lab run --substrate NAME`, or
`make lab SUBSTRATE=NAME`. What it can do beyond running the system are its *abilities*. A claim
that needs one which is missing is not asked there; it counts neither as shown nor as refuted.

## Abilities

"""


@dataclass(frozen=True, slots=True)
class Marked:
    """A claim, and the abilities that it needs."""

    phase: int
    text: str
    needs: tuple[str, ...]


def page() -> str:
    """What the file should hold."""
    names = registry.names()
    header = ["| ability | | " + " | ".join(names) + " |", "|---|---|" + "---|" * len(names)]
    rows = [_ability(each, names) for each in OF_ALL_LABS]
    claims = [claim for phase in PHASES for claim in marked(phase)]
    chapters = [_left_out(name, claims) for name in names]
    return _HEAD + "\n".join([*header, *rows]) + "\n" + "".join(chapters)


def marked(phase: int, scenarios: Path = SCENARIOS) -> Iterator[Marked]:
    """The claims of a phase: one for each test."""
    for path in sorted(scenarios.glob(f"test_phase{phase}_*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                text, _ = split(ast.get_docstring(node), node.name)
                yield Marked(phase, text, tuple(_needs(node)))


def left_out(name: str, claims: list[Marked]) -> list[tuple[Marked, list[str]]]:
    """The claims that a substrate leaves out, each with the abilities that it lacks."""
    kind = registry.find(name).substrate
    known = {each.__name__: each for each in OF_ALL_LABS}
    found = ((claim, lacking(kind, [known[need] for need in claim.needs])) for claim in claims)
    return [(claim, missing) for claim, missing in found if missing]


def _needs(node: ast.FunctionDef) -> Iterator[str]:
    for mark in node.decorator_list:
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "needs":
            yield from map(ast.unparse, mark.args)


def _ability(ability: type, names: list[str]) -> str:
    what = (ability.__doc__ or "").partition("\n")[0].rstrip(".")
    has = ["" if lacking(registry.find(name).substrate, [ability]) else "yes" for name in names]
    return f"| `{ability.__name__}` | {what} | {' | '.join(has)} |"


def _left_out(name: str, claims: list[Marked]) -> str:
    rows = left_out(name, claims)
    phases = ", ".join(map(str, PHASES[:-1])) + f" and {PHASES[-1]}"
    share = f"{len(rows)} of the {len(claims)} claims of the phases {phases}"
    if not rows:
        return f"\n## What `{name}` leaves out\n\nNothing of the phases {phases}.\n"
    lines = [f"\n## What `{name}` leaves out", "", f"{share[0].upper()}{share[1:]}.", ""]
    lines += ["| phase | claim | missing |", "|---|---|---|"]
    lines += [
        f"| {claim.phase} | {claim.text} | {', '.join(f'`{each}`' for each in missing)} |"
        for claim, missing in rows
    ]
    return "\n".join(lines) + "\n"
