"""A pytest plugin that turns the tests of a phase into claims, and reports each as it runs."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from dataclasses import replace

import pytest

from lab.checker.verdict import Verdict
from lab.errors import NotWithin
from lab.experiment.plugin import EVIDENCE, LACKING, STAGE, Stage
from lab.phases.result import BECAUSE_MAX, Claim, Seen, split
from lab.report import formatting

Say = Callable[[str], None]
_TIMED_OUT = "from pytest-timeout"


class Recorder:
    """Collects the claims of one run of pytest.

    Attributes:
        claims: by test, in order; what has not run yet is unknown.
        trouble: why nothing could be run; empty if it could.
    """

    def __init__(self, stage: Stage, say: Say) -> None:
        """Prepare.

        Args:
            stage: where the phase runs.
            say: called with each claim, as its experiment begins and as it ends.
        """
        self.claims: dict[str, Claim] = {}
        self.trouble = ""
        self._stage = stage
        self._say = say
        self._begun = 0.0

    def pytest_configure(self, config: pytest.Config) -> None:
        """Let the fixtures know where the phase runs."""
        config.stash[STAGE] = self._stage

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """A module that cannot be imported leaves the phase undecided."""
        if report.failed:
            last = str(report.longrepr).strip().splitlines()[-1]
            self.trouble = formatting.clean(f"{report.nodeid} cannot be read: {last}", BECAUSE_MAX)

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Note what is going to be claimed."""
        for item in session.items:
            function = getattr(item, "function", None)
            text, experiment = split(getattr(function, "__doc__", None), item.name)
            if hasattr(item, "callspec"):
                text = f"{text} [{item.callspec.id}]"
            self.claims[item.nodeid] = Claim(item.name, text, experiment)

    def pytest_runtest_logstart(self, nodeid: str) -> None:
        """Tell which experiment begins."""
        self._begun = time.monotonic()
        number = list(self.claims).index(nodeid) + 1
        self._say(f"{number:>2}/{len(self.claims)}  {self.claims[nodeid].text}")

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_makereport(
        self, item: pytest.Item, call: pytest.CallInfo[None]
    ) -> Generator[None, pytest.TestReport, pytest.TestReport]:
        """Judge each of the three parts of a test: its preparation, itself, its cleaning up."""
        report = yield
        claim = self.claims[item.nodeid]
        verdict, because = judge(call.excinfo)
        if call.when == "call":
            claim = replace(claim, verdict=verdict, because=because)
        elif verdict is not Verdict.VALID:  # a preparation that went well shows nothing yet
            before, word = claim.verdict, "preparing" if call.when == "setup" else "cleaning up"
            claim = replace(
                claim,
                verdict=Verdict.UNKNOWN if before is Verdict.VALID else before,
                because=f"{word}: {because}" if before is not Verdict.INVALID else claim.because,
            )
        lacking = item.stash.get(LACKING, "")
        self.claims[item.nodeid] = replace(
            claim,
            because=lacking or claim.because,
            seconds=round(time.monotonic() - self._begun, 2),
            seen=_evidence(item),
            lacking=lacking,
        )
        if call.excinfo is not None and call.excinfo.errisinstance(SystemExit):
            item.session.shouldstop = "asked to end"  # a signal; pytest would take it for a failure
        return report

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Tell how the experiment ended."""
        claim = self.claims[nodeid]
        why = f": {claim.because}" if claim.because else ""
        self._say(f"       {claim.verdict.sign} {claim.seconds:.1f} s{why}")


def _evidence(item: pytest.Item) -> tuple[Seen, ...]:
    kept = [value for name, value in item.user_properties if name == EVIDENCE]
    return tuple(Seen(str(each[0]), each[1]) for each in kept if isinstance(each, list))


def judge(raised: pytest.ExceptionInfo[BaseException] | None) -> tuple[Verdict, str]:
    """What an experiment's end says of its claim, and why.

    Nothing raised: it holds. A failed assertion, or a condition that was looked for and not seen:
    it is broken. Anything else, also a skip or a time-out, could not observe: it is unknown.
    """
    if raised is None:
        return Verdict.VALID, ""
    error = raised.value
    because = formatting.clean(str(error) or type(error).__name__, BECAUSE_MAX)
    if isinstance(error, AssertionError):
        return Verdict.INVALID, because
    if isinstance(error, pytest.fail.Exception) and _TIMED_OUT not in str(error):
        return Verdict.INVALID, because
    if isinstance(error, NotWithin) and error.__cause__ is None:
        return Verdict.INVALID, because
    if isinstance(error, (pytest.skip.Exception, pytest.fail.Exception)):
        return Verdict.UNKNOWN, because
    return Verdict.UNKNOWN, formatting.clean(f"{type(error).__name__}: {error}", BECAUSE_MAX)
