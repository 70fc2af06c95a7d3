"""A plugin of pytest that takes in what became of every defect, and tells of each as it comes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest

from lab.checker.verdict import Verdict
from lab.experiment.plugin import EVIDENCE
from lab.sabotage.defects import DEFECTS
from lab.sabotage.judging import Word, said
from lab.sabotage.result import DEFECT, TWIN, Played, Results, Tried

Say = Callable[[str], None]
_WHY_MAX = 200


@dataclass
class Recorder:
    """What was seen in one run of pytest; in the process that hears of all tests.

    Attributes:
        say: called with a line for people about each test.
        on: the day, as the results name it.
        scenes: by name, what became of them without a defect.
        defects: by name, what became of those that were tried.
        trouble: why nothing could be run; empty if it could.
    """

    say: Say
    on: str
    scenes: dict[str, Played] = field(default_factory=dict)
    defects: dict[str, Tried] = field(default_factory=dict)
    trouble: str = ""
    total: int = 0
    _done: int = 0

    @pytest.hookimpl(optionalhook=True)
    def pytest_xdist_node_collection_finished(self, ids: list[str]) -> None:
        """Note how many there are; each process has collected the same."""
        self.total = len(ids)

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be read leaves all undecided."""
        if report.failed:
            self.trouble = str(report.longrepr).strip().splitlines()[-1][:_WHY_MAX]

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """A test is over, or something before it or after it went wrong."""
        if report.when != "call" and report.passed:
            return
        seen = {
            value[0]: value[1]
            for name, value in report.user_properties
            if name == EVIDENCE and isinstance(value, list)
        }
        self._done += 1
        name = report.nodeid.partition("[")[2].removesuffix("]")
        if "planted" in report.nodeid and name in DEFECTS:
            self._defect(name, seen.get(DEFECT), report)
        elif name:
            self._scene(name, seen.get(TWIN), report)

    def results(self) -> Results:
        """What was seen so far."""
        return Results(dict(self.defects), dict(self.scenes))

    def _defect(self, name: str, seen: Any, report: pytest.TestReport) -> None:
        if seen is None:
            why = _why(report)
            tried = Tried(Word.FAILED, (), round(report.duration, 1), self.on, why)
        else:
            word, red, why = seen["word"], tuple(seen["red"]), seen["why"]
            tried = Tried(word, red, seen["seconds"], self.on, why)
        self.defects[name] = tried
        sign = Verdict.VALID.sign if tried.word == Word.CAUGHT else Verdict.INVALID.sign
        what = f"by {said(tried.red)}" if tried.word == Word.CAUGHT else tried.why
        self._tell(f"{sign} {name}: {tried.word} {what}, {tried.seconds:.1f} s")

    def _scene(self, name: str, seen: Any, report: pytest.TestReport) -> None:
        wrong = _why(report) if seen is None else seen["wrong"]
        self.scenes[name] = Played(wrong, self.on)
        sign = Verdict.INVALID.sign if wrong else Verdict.VALID.sign
        self._tell(f"{sign} {name}: {wrong or 'valid without a defect'}, {report.duration:.1f} s")

    def _tell(self, line: str) -> None:
        self.say(f"{self._done:>3}/{self.total}  {line}")


def _why(report: pytest.TestReport) -> str:
    """What ended a test that has not said what it saw."""
    crash = getattr(report.longrepr, "reprcrash", None)
    text = str(crash.message if crash is not None else report.longrepr or "no result")
    return text.strip().splitlines()[0][:_WHY_MAX]
