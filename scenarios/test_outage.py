"""A long outage of the database under steady load: everything waits, nothing is given up or lost.

While the database is unavailable, messages wait in the broker: in their queue, or in a retry step.
So the memory of workers must not grow with the outage, and the broker's not beyond its limit.
"""

from __future__ import annotations

import time

import pytest

from lab.checker.measures import LATENCY_MEAN
from lab.experiment.lab import Lab
from lab.experiment.plugin import OpenLab
from lab.substrates.abilities import Measurable

MB = 1024 * 1024
WORKER_GROWTH_BYTES_MAX = 48 * MB
"""A worker holds 8 deliveries at most (two children, four each), of 64 KiB at most; what its three
processes grow by besides is import caches and the allocator's slack, some 5 MB each when seen. If
each of 30,000 messages left but 2 KiB behind, this would be exceeded."""
BROKER_BYTES_MAX = 512 * MB
"""The memory limit that the lab gives the broker: beyond it, publishers would be blocked."""


class Memory:
    """The most resident memory of each service, looked at once a second."""

    def __init__(self, place: Measurable) -> None:
        self._place = place
        self._looked = 0.0
        self.peak: dict[str, int] = {}

    def look(self) -> None:
        """Look, unless that was just done."""
        if time.monotonic() - self._looked < 1:
            return
        self._looked = time.monotonic()
        for name, used in self._place.memory().items():
            self.peak[name] = max(used, self.peak.get(name, 0))


def _database_outage(lab: Lab, seconds: float) -> None:
    """Load before, during and after the outage; then everything must have taken effect."""
    assert isinstance(lab.substrate, Measurable)
    memory = Memory(lab.substrate)
    with lab.load("steady"):
        lab.run_for(5, memory.look)
        before = dict(memory.peak)
        with lab.fault("database-killed"):
            lab.run_for(seconds, memory.look)
            alarms = lab.endpoints.management.alarms()
        lab.run_for(5, memory.look)
    audit = lab.audit()
    memory.look()
    counts, grown = audit.counts, memory.peak["worker-0"] - before["worker-0"]
    print(  # noqa: T201 - shown by `pytest -s`; the figures of a long run are worth reading
        f"{seconds:g} s: {counts}, settled after {audit.seconds:.0f} s;"
        f" worker {before['worker-0'] / MB:.0f} + {grown / MB:.0f} MB,"
        f" broker {before['broker-0'] / MB:.0f} to {memory.peak['broker-0'] / MB:.0f} MB"
    )
    assert audit.valid, audit.why
    assert counts.accepted == counts.attempted > 40 * seconds
    assert counts.dead_lettered == 0
    assert counts.committed + counts.unchanged == counts.accepted
    assert alarms == []
    assert grown < WORKER_GROWTH_BYTES_MAX
    assert memory.peak["broker-0"] < BROKER_BYTES_MAX


@pytest.mark.services
@pytest.mark.faults
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_everything_commits_after_the_database_was_away_for_a_while(open_lab: OpenLab) -> None:
    """Some 1,200 messages."""
    _database_outage(open_lab(objectives={LATENCY_MEAN: None}), seconds=15)


@pytest.mark.services
@pytest.mark.long
@pytest.mark.timeout(7200)
def test_everything_commits_after_the_database_was_away_for_ten_minutes(open_lab: OpenLab) -> None:
    """Some 30,000 messages."""
    _database_outage(open_lab(objectives={LATENCY_MEAN: None}), seconds=600)
