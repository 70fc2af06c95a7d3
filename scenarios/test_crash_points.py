"""The scraper is killed at one point after the other; nothing is lost and nothing is doubled.

Each death is a SIGKILL from within, at a point of its own. Then the next run starts, as a scheduler
would start it, and everything that the dead one had put into its outbox must take effect, once.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.checker.verdict import Verdict
from lab.experiment.lab import Lab
from lab.experiment.plugin import staged
from lab.workload.scraper import Scraper

pytestmark = [
    pytest.mark.faults,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

DYING = "system.tests.weakened.dying"
ATTEMPTED = "system.scraper.journal:Journal.attempted"
SETTLED = "system.scraper.journal:Journal.settled"
PUT = "system.scraper.outbox:Outbox.put"
HEAD = "system.scraper.outbox:Outbox.head"
DISCARD = "system.scraper.outbox:Outbox.discard"
PUBLISH = "system.messaging.publisher:Publisher.publish"
WRITTEN = "pika.channel:Channel.basic_publish"
ANSWERED = "system.messaging.publisher:Publisher.answered"
POST = "system.client:BackendClient.post"

SCRAPE = (
    f"before {ATTEMPTED} 1",
    f"after {ATTEMPTED} 2",
    f"before {PUT} 1",
    f"after {PUT} 2",
    f"before {PUBLISH} 1",
    f"after {WRITTEN} 7",
    f"before {ANSWERED} 1",
    f"after {ANSWERED} 2",
    f"after {PUBLISH} 1",
    f"before {DISCARD} 2",
    f"after {DISCARD} 1",
    f"before {SETTLED} 2",
    f"after {SETTLED} 1",
)
UNSAFE = SCRAPE[:3]  # what was attempted last is not in the outbox yet
DRAIN = (
    f"after {HEAD} 1",
    f"after {WRITTEN} 5",
    f"before {ANSWERED} 1",
    f"after {PUBLISH} 1",
    f"after {DISCARD} 1",
    f"before {SETTLED} 1",
)
FALLBACK = (f"before {POST} 1", f"after {POST} 1", f"after {DISCARD} 1")

CASES = [
    *(("scrape", point) for point in SCRAPE),
    *(("drain", point) for point in DRAIN),
    *(("fallback", point) for point in FALLBACK),
]


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """One lab for all deaths; at its end every law must hold over all of them."""
    with staged(request, tmp_path_factory, {}) as shared:
        yield shared
        audit = shared.audit()
        assert [each for each in audit.findings if each.verdict is not Verdict.VALID] == []
        assert (audit.counts.lost, audit.counts.duplicated) == (0, 0)


@pytest.mark.parametrize(
    ("index", "command", "point"),
    [(index, *case) for index, case in enumerate(CASES)],
    ids=[f"{command}: {point}" for command, point in CASES],
)
def test_a_scraper_that_dies_here_loses_and_doubles_nothing(
    lab: Lab, index: int, command: str, point: str
) -> None:
    """Scrape and die; the next run finds in the outbox what the dead one had made safe."""
    moment = lab.season.moments(len(CASES))[index]
    lab.ledger.follow(lab.scraper.journal(index))
    lab.ledger.follow(lab.scraper.drain_journal)
    attempted, accepted = set(lab.ledger.attempted), set(lab.ledger.accepted)
    # Other ids than those of the next run, which would else send all of it again by itself.
    settings = {}
    if command == "fallback":
        right = lab.endpoints.broker_urls["scraper"]
        settings["MISSING_TABLE_BROKER_URL"] = right.replace("scraper:", "scraper:wrong")

    def dying(at: str) -> Scraper:
        return replace(
            lab.scraper, wrapper=DYING, seed=1000 + index, settings={**settings, "DYING_AT": at}
        )

    if command == "drain":  # something has to be in the outbox first
        assert dying(f"after {PUT} 1").scrape(moment, index) == -signal.SIGKILL
        assert dying(point).try_to_drain() == -signal.SIGKILL
    else:
        assert dying(point).scrape(moment, index) == -signal.SIGKILL
    lab.ledger.look()
    # Until it is in the outbox, a message is only attempted; the page will be read again.
    safe = (lab.ledger.accepted - accepted) if point in UNSAFE else lab.ledger.attempted - attempted
    assert safe or point.endswith(" 1")
    lab.scrape(moment, index)

    assert lab.settle()
    assert safe <= lab.ledger.effects
    assert lab.ledger.accepted <= lab.ledger.effects
