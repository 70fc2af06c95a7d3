"""The page of all experiments says what was asked, done and seen, and lets nothing pass as code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chaos import page
from chaos.control import KEY
from chaos.run import Outcome
from chaos.tests.writing import action, probe
from lab.checker.verdict import Verdict


def journal(verdict: str, **more: Any) -> dict[str, Any]:
    looked = {"activity": probe("it is well"), "status": "succeeded", "output": True}
    struck = {"activity": action("kill"), "status": "succeeded", "output": {"killed": "worker-0"}}
    return {
        "experiment": {"title": "Does <it> hold?", "description": "It was broken."},
        "deviated": False,
        "steady_states": {"before": {"probes": [{**looked, "tolerance_met": True}]}, "after": None},
        "run": [{**struck, "duration": 1.25}],
        "rollbacks": [],
        KEY: {"verdict": verdict, "why": "because", "run": "/runs/x-chaos-kill", "problems": []},
        **more,
    }


def outcome(code: int = 0, verdict: str = "valid", **more: Any) -> Outcome:
    return Outcome("kill", code, 12.0, journal(verdict, **more))


@pytest.mark.parametrize(
    ("given", "verdict"),
    [
        (outcome(), Verdict.VALID),
        (outcome(code=1), Verdict.UNKNOWN),
        (outcome(code=1, verdict="invalid"), Verdict.INVALID),
        (outcome(code=0, verdict="invalid"), Verdict.INVALID),
        (outcome(code=1, verdict="unknown"), Verdict.UNKNOWN),
        (outcome(code=1, verdict="unknown", deviated=True), Verdict.INVALID),
        (Outcome("kill", 0, 1.0), Verdict.UNKNOWN),
        (Outcome("kill", 1, 1.0), Verdict.UNKNOWN),
    ],
)
def test_an_experiment_is_valid_only_if_the_toolkit_and_the_lab_say_so(
    given: Outcome, verdict: Verdict
) -> None:
    assert given.verdict is verdict


def test_the_page_has_question_steps_what_was_seen_and_a_link_to_the_report() -> None:
    text = page.render([outcome()], Path("/runs/all"), {})
    for each in ("Does &lt;it&gt; hold?", "It was broken.", "killed: worker-0", "1.2 s",
                 'href="../x-chaos-kill/report.html"', "1 of 1 experiments are valid"):  # fmt: skip
        assert each in text
    assert "<it>" not in text
    assert "://" not in text


def test_what_went_wrong_is_said_and_marked() -> None:
    failed = {
        "activity": action("kill"),
        "status": "failed",
        "output": None,
        "exception": ["Traceback\n", "SubstrateError: no worker-7\n"],
    }
    problems = ["method: kill failed"]
    lab = {"verdict": "unknown", "why": "it was not done", "run": None, "problems": problems}
    text = page.render([outcome(1, run=[failed], lab=lab)], Path("/runs/all"), {})
    for each in ("SubstrateError: no worker-7", "method: kill failed", "it was not done", "✗"):
        assert each in text
    assert "report.html" not in text
    assert "0 of 1 experiments are valid" in text


def test_one_that_left_no_journal_is_still_there_with_its_question() -> None:
    text = page.render([Outcome("kill", 1, 3.0)], Path("/runs/all"), {"kill": "Does it hold?"})
    assert "Does it hold?" in text
    assert "the experiment left no verdict" in text
