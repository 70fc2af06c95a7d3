"""The page that says which tier holds which claim, made from the tests' own words."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from lab.dev import results, tiers
from lab.dev.reading import tests
from lab.paths import PROJECT

FILE = PROJECT / "docs" / "reference" / "tests.md"
ROOMS = ("scenarios", "chaos", "load", "helm", "system", "lab")
"""Where tests are; the claims of the first four are listed one by one."""
_SPELLED = ROOMS[:4]
_HEAD = """\
# Tests, by tier

Made from the tests by `make docs`. Do not edit.

`make test` runs what every change needs: {usual}. `make test-all` adds {beyond}.
`make test-<tier>` runs one tier.

A test function may stand for many cases; the last result counts cases. It is that of the last run
with `PYTEST_ARGS=--record`, on a machine with 2 processors.

| tier | needs | tests | last result |
|---|---|---|---|
"""


@dataclass(frozen=True, slots=True)
class Claim:
    """A test function, whatever the number of its cases."""

    file: Path
    name: str
    words: str


def claims(folder: Path = PROJECT) -> dict[str, list[Claim]]:
    """Every test function below `folder`, by tier. One whose cases differ is in each of theirs."""
    found: dict[str, list[Claim]] = defaultdict(list)
    for room in ROOMS:
        for file in sorted((folder / room).rglob("test_*.py")):
            module = ast.parse(file.read_text("utf-8"))
            for function, markers in tests(module):
                claim = Claim(file.relative_to(folder), function.name, _words(function))
                for each in sorted({tiers.tier(of_case) for of_case in markers}):
                    found[each].append(claim)
    return found


def page() -> str:
    """What the file should hold."""
    found = claims()
    usual, beyond = (tiers.UNIT, tiers.INTEGRATION), tiers.BEYOND
    lines = [_HEAD.format(usual=" and ".join(usual), beyond=", ".join(beyond)).rstrip("\n")]
    ended = {name: results.words(each) for name, each in results.read().items()}
    lines += [
        f"| {name} | {needs} | {len(found[name])} | {ended.get(name, 'not recorded')} |"
        for name, needs in tiers.NEEDS.items()
    ]
    for name in tiers.NEEDS:
        if not found[name]:
            continue
        lines += ["", f"## {name.capitalize()}"]
        by_file: dict[Path, list[Claim]] = defaultdict(list)
        for claim in found[name]:
            by_file[claim.file].append(claim)
        spelled = [file for file in by_file if file.parts[0] in _SPELLED]
        for file in spelled:
            lines += ["", f"**{_title(file)}** (`{file}`)", ""]
            lines += [f"- {claim.words}" for claim in by_file[file]]
        if len(spelled) < len(by_file):
            lines += ["", "| module | tests | about |", "|---|---|---|"]
            lines += [
                f"| `{file}` | {len(by_file[file])} | {_title(file)} |"
                for file in by_file
                if file not in spelled
            ]
    return "\n".join(lines) + "\n"


def _words(function: ast.FunctionDef) -> str:
    """The claim: a test's name is a sentence."""
    sentence = function.name.removeprefix("test_").replace("_", " ")
    return f"{sentence[0].upper()}{sentence[1:]}."


def _title(file: Path) -> str:
    """What a module is about: the first line of its docstring."""
    said = ast.get_docstring(ast.parse((PROJECT / file).read_text("utf-8"))) or file.stem
    return re.sub(r"[.:]$", "", said.split("\n", 1)[0]).replace("|", "\\|")
