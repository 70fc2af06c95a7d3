"""The messages of a load: observations of matches, each drawn from the load's seed and its number.

So whoever sends a message, and whoever asks afterwards what it said, gets the same one.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from lab.workload.profiles import Profile, arrivals
from system.contract import match as contract
from system.contract.match import Match
from system.contract.playing import LEAGUE_TIME, season_of

DAYS = 30
"""The matches of a load are spread over so many days."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a load.

    Attributes:
        index: its number in the load, from 0.
        due: when it is to be published; latency counts from here, however late it is sent.
    """

    index: int
    message_id: str
    match: Match
    due: datetime


def attempt_of(message: Message) -> dict[str, Any]:
    """What is put on record of a message before it is sent, by whoever sends it."""
    due = message.due.isoformat()
    return {
        "message_id": message.message_id,
        "identity": message.match.identity,
        "published_at": due,
        "observed_at": due,
    }


@dataclass(frozen=True, slots=True)
class Share:
    """What one of several senders sends: of `of` messages the one at `place`, from 0."""

    place: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        if not 0 <= self.place < self.of:
            raise ValueError(f"there is no share {self.place} of {self.of}")


def observation(
    rng: random.Random, series: str, due: datetime, matches: int = 200
) -> dict[str, Any]:
    """An observation of one of `matches` matches, as it stands at `due`. Pure but for `rng`."""
    number = rng.randrange(matches)
    played = rng.random() < 0.7
    # Days that are over where the league plays; in UTC, the last one may still go on there.
    day = due.astimezone(LEAGUE_TIME).date() - timedelta(days=1 + number % DAYS)
    return {
        # No team plays twice on a day.
        "home_team": f"NEFC {number // DAYS}",
        "away_team": f"Seacoast United {number // DAYS}",
        "match_date": day.isoformat(),
        "season": season_of(day),
        "age_group": "U14",
        "match_type": "League",
        "league": "Homegrown",
        "division": "Northeast",
        "external_match_id": f"load-{series}-{number}",
        "match_status": "completed" if played else "scheduled",
        "observed_at": due.isoformat(),
        **({"home_score": rng.randrange(9), "away_score": rng.randrange(9)} if played else {}),
    }


def message(profile: Profile, series: str, index: int, due: datetime) -> Message:
    """Message `index` of a load. Pure."""
    rng = random.Random(f"{series}-{index}")
    message_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
    match = contract.parse(observation(rng, series, due, profile.matches))
    return Message(index, message_id, match, due)


def messages(
    profile: Profile, series: str, begun: datetime, share: Share = Share()
) -> Iterator[Message]:
    """The messages of a share, in the order in which they are due. Pure.

    Each is made when it is asked for. All shares together are the whole load, however many there
    are.
    """
    for index, due in enumerate(arrivals(profile, random.Random(series))):
        if index % share.of == share.place:
            yield message(profile, series, index, begun + timedelta(seconds=due))
