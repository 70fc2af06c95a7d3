"""What several scenes do, and what they start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.sabotage.scene import Setup
from lab.substrates.abilities import Answering, Killable, Pausable
from lab.substrates.plan import Role
from lab.wait import eventually
from system.contract.topology import PROCESS_QUEUE

SOON_S = 60.0
"""For what takes a second or two on a machine with nothing else to do."""
AS_IT_IS = Setup("as it is")


def killable(lab: Lab) -> Killable:
    """The substrate, which can end processes."""
    assert isinstance(lab.substrate, Killable)
    return lab.substrate


def pausable(lab: Lab) -> Pausable:
    """The substrate, which can pause processes."""
    assert isinstance(lab.substrate, Pausable)
    return lab.substrate


def answering(lab: Lab) -> Answering:
    """The substrate, which can answer in the place of a role."""
    assert isinstance(lab.substrate, Answering)
    return lab.substrate


def start_the_api_anew(lab: Lab) -> None:
    """End the API that is paused, and start it: what it has not read yet is gone.

    If it went on instead, it would carry out the requests of those who have been killed meanwhile.
    """
    killable(lab).kill(Role.API)
    killable(lab).start(Role.API)


def send(lab: Lab, prefix: str, count: int, **fields: Any) -> list[str]:
    """Publish observations of so many matches; return the ids of the messages."""
    return [lab.send(external_match_id=f"{prefix}-{n}", **fields) for n in range(count)]


def waiting(lab: Lab) -> int:
    """Messages that wait in the queue of matches now."""
    return lab.ledger.depths()[PROCESS_QUEUE]


def none_waits(lab: Lab) -> None:
    """Wait until the queue of matches is empty."""
    eventually(
        "every delivery to be gone from the queue",
        lambda: waiting(lab) == 0,
        within_s=2 * SOON_S,
        tolerate=amqp.TROUBLE,
    )


def last_moment(lab: Lab) -> datetime:
    """After the last match of the season."""
    (moment,) = lab.season.moments(1)
    return moment


def scrape(
    lab: Lab, moment: datetime | None = None, settings: Mapping[str, str | None] | None = None
) -> None:
    """Let the scraper read the site once more, with a journal and message ids of its own.

    Args:
        moment: after the last match of the season, if left out.
        settings: of this run of the scraper.
    """
    index, usual = len(lab.ledger.journals), lab.scraper
    lab.scraper = replace(
        usual, seed=usual.seed + index, settings={**usual.settings, **(settings or {})}
    )
    try:
        lab.scrape(moment or last_moment(lab), index)
    finally:
        lab.scraper = usual


def wrong_login(lab: Lab) -> dict[str, str | None]:
    """Settings of a scraper that the broker refuses."""
    right = lab.endpoints.broker_urls["scraper"]
    return {"MISSING_TABLE_BROKER_URL": right.replace("scraper:", "scraper:wrong")}


def restart(lab: Lab, role: Role) -> None:
    """SIGKILL, and start again."""
    killable(lab).kill(role)
    killable(lab).start(role)
