"""A schedule strikes a real lab as it is written: side by side, each for its time, all cured."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pytest

from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.experiment.lab import Lab
from lab.experiment.plugin import OpenLab
from lab.faults.schedule import read
from lab.history import log
from lab.hunts import striking
from lab.substrates.plan import Link

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SLACK_S = 10.0


def test_what_overlaps_strikes_together_and_what_cannot_be_struck_hinders_nothing(
    open_lab: OpenLab,
) -> None:
    lab = open_lab(relayed=frozenset({Link.WORKER_API}), objectives={LATENCY_MEAN: None})
    schedule = read(
        "worker-paused@0.5s+2s,link-stalled:link=worker-api@1s+2s,"
        "link-cut:link=api-database@1s+1s,worker-killed@2s+0.5s"
    )
    striking.strike(lab, schedule)
    sent = lab.send()
    audit = lab.audit()

    paused, stalled, cut, killed = (
        _struck(lab, name)
        for name in ("worker-paused", "link-stalled", "link-cut", "worker-killed")
    )
    assert paused[0] < stalled[0] < paused[1], "the second one strikes while the first is at work"
    assert stalled[0] < stalled[1]
    assert 2 <= (paused[1] - paused[0]).total_seconds() < 2 + SLACK_S
    assert paused[1] <= killed[0], "a part that is broken cannot be broken again"
    assert cut[0] <= cut[1], "there is no such relay in this lab, so nothing was cut"
    assert sent in lab.ledger.effects
    (check,) = (each for each in audit.checks if each.verdict is not Verdict.VALID)
    assert check.verdict is Verdict.UNKNOWN
    assert check.name == "link-cut:link=api-database@1s+1s was struck and cured"
    assert audit.verdict is Verdict.UNKNOWN
    assert lab.residue.retry_s >= 5, "one after the other they are one outage of three seconds"


def _struck(lab: Lab, name: str) -> tuple[datetime, datetime]:
    found = [
        each.at
        for each in log.read(Path(lab.folder) / log.FILE)
        if each.event == "fault" and each.fields["name"] == name
    ]
    assert len(found) == 2
    return found[0], found[1]
