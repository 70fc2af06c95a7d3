"""Mutation testing of the modules that decide: `make mutants`, by mutmut.

A mutant is the code with one thing changed: a comparison, a number, an argument, a word. If every
unit test passes all the same, either a test is missing or the change makes no difference. Each that
survives is explained in `lab/dev/survivors/`, or it is one of the words that are only for people.

Which modules, and which tests may kill a mutant of theirs, is in pyproject.toml, [tool.mutmut]. It
needs no services. Exit code: 0 every mutant is killed or explained, 1 not, 2 mutmut did not run.
"""

from __future__ import annotations

import ast
import json
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path

from lab.dev import mutants_page
from lab.paths import PROJECT

WORK = PROJECT / "mutants"
"""Where mutmut works; ignored by git."""
SURVIVORS = Path(__file__).with_name("survivors")
MEASURED = SURVIVORS / "measured.json"
JOBS = 2
_SURVIVED, _NO_TEST = 0, 33
"""What mutmut writes down as a mutant's exit code; anything else killed it."""
NOT_TRIED = -1


class Fate(StrEnum):
    """What became of a mutant."""

    KILLED = "killed"
    WORDS = "words"
    EXPLAINED = "explained"
    SURVIVED = "survived"


@dataclass(frozen=True, slots=True)
class Change:
    """What a mutant changes.

    Attributes:
        module: its path in the project.
        function: its name, with its class's before it.
        was, now: the lines that differ, without what stands before them.
    """

    module: str
    function: str
    was: str
    now: str

    def __str__(self) -> str:
        return f"{self.module}, {self.function}:\n  - {self.was}\n  + {self.now}"


def explained(folder: Path = SURVIVORS) -> dict[Change, str]:
    """The mutants that may survive, and why."""
    return {
        Change(each["module"], each["function"], _flat(each["was"]), _flat(each["is"])): each["why"]
        for each in mutants_page.explanations(folder)
    }


def change(module: str, mutant: str, diff: str) -> Change:
    """What a mutant changes, from its unified diff. Pure.

    Args:
        mutant: mutmut's name of it, such as `a.b.xǁClassǁmethod__mutmut_3`.
    """
    lines = [line for line in diff.splitlines() if not line.startswith(("---", "+++"))]
    was, now = (
        _flat("\n".join(line[1:] for line in lines if line.startswith(sign))) for sign in "-+"
    )
    name = mutant.rpartition(".")[2].partition("__mutmut_")[0]
    function = ".".join(name.split("ǁ")[1:]) if "ǁ" in name else name.removeprefix("x_")
    return Change(module, function, was, now)


def is_wording(changed: Change) -> bool:
    """Whether only words for people differ: text in which there is a space, or none left. Pure."""
    was, now = _literals(changed.was), _literals(changed.now)
    if was is None or now is None or was[0] != now[0] or len(was[1]) != len(now[1]):
        return False
    differ = [(one, other) for one, other in zip(was[1], now[1], strict=True) if one != other]
    return bool(differ) and all(" " in str(one).strip() for one, _ in differ)


def fate(code: int, changed: Change, known: Mapping[Change, str]) -> Fate:
    """What became of a mutant. Pure.

    Args:
        code: as mutmut has written it down.
    """
    if code == NOT_TRIED:
        return Fate.SURVIVED
    if code not in (_SURVIVED, _NO_TEST):
        return Fate.KILLED
    if changed in known:
        return Fate.EXPLAINED
    return Fate.WORDS if code == _SURVIVED and is_wording(changed) else Fate.SURVIVED


def _flat(lines: str) -> str:
    return " ".join(lines.split())


def _literals(code: str) -> tuple[str, list[str | None]] | None:
    """A piece of code without the texts in it, and those; None if it cannot be parsed.

    What stands for no text, None, counts as one.
    """
    for form in ("{}", "if {}\n pass", "{}\n pass", "({})", "f({})"):
        try:
            tree = ast.parse(form.format(code.removeprefix("el")))
            break
        except SyntaxError:
            continue
    else:
        return None
    texts: list[str | None] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | None):
            texts.append(node.value)
            node.value = ""
    return ast.dump(tree), texts


def _run() -> bool:
    """Let mutmut make its mutants and try them; whether it did."""
    shutil.rmtree(WORK, ignore_errors=True)
    command = [sys.executable, "-m", "mutmut", "run", "--max-children", str(JOBS)]
    return subprocess.run(command, cwd=PROJECT, check=False).returncode == 0


def _codes() -> Iterator[tuple[str, str, int]]:
    """Module, mutant and exit code of every mutant."""
    for meta in sorted(WORK.rglob("*.py.meta")):
        module = str(meta.relative_to(WORK)).removesuffix(".meta")
        found = json.loads(meta.read_text("utf-8"))["exit_code_by_key"]
        yield from (
            (module, mutant, NOT_TRIED if code is None else code) for mutant, code in found.items()
        )


def _judged(codes: Iterable[tuple[str, str, int]]) -> dict[str, Counter[Fate]]:
    """How many mutants of each module met which fate; those that survived are printed."""
    from mutmut.mutation.diff_apply import get_diff_for_mutant

    known, met = explained(), set()
    counted: dict[str, Counter[Fate]] = {}
    for module, mutant, code in codes:
        changed = Change(module, "", "", "")
        if code in (_SURVIVED, _NO_TEST, NOT_TRIED):
            changed = change(module, mutant, get_diff_for_mutant(mutant))
            met.add(changed)
        came_to = fate(code, changed, known)
        counted.setdefault(module, Counter())[came_to] += 1
        if came_to is Fate.SURVIVED:
            _say(f"survived{' (no test)' if code == _NO_TEST else ''}: {changed}")
    for each in sorted(set(known) - met, key=str):
        if each.module in counted:
            _say(f"is explained, and does not survive any more: {each}")
    return counted


def main(arguments: Sequence[str]) -> int:
    """Run, judge, write the results and their page; with `--judge`, judge what ran before."""
    if list(arguments) not in ([], ["--judge"]):
        _say("usage: python -m lab.dev.mutants [--judge]")
        return 2
    if not arguments and not _run():
        _say("mutmut did not run to its end; what it says is above")
        return 2
    counted = _judged(_codes())
    results = {
        module: {each.value: fates[each] for each in Fate} for module, fates in counted.items()
    }
    left = sum(fates[Fate.SURVIVED] for fates in counted.values())
    whole = sum(fates.total() for fates in counted.values())
    if not whole:
        _say("there are no mutants")
        return 2
    MEASURED.write_text(
        json.dumps({"on": f"{datetime.now(UTC):%Y-%m-%d}", "modules": results}, indent=1) + "\n",
        "utf-8",
    )
    mutants_page.FILE.write_text(mutants_page.page(), "utf-8")
    _say(f"{whole} mutants, {left} of them survived without a reason; see {mutants_page.FILE}")
    return 1 if left else 0


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
