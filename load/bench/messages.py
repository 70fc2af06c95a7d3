"""The messages of a measurement: the same for each run of one seed."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from system.contract import envelope as wire
from system.contract import match as contract
from system.contract.envelope import Envelope
from system.contract.playing import LEAGUE_TIME, season_of

CLUBS = 40
DIVISIONS = ("Northeast", "Florida", "Mid-Atlantic", "Southeast")
AGES = ("U13", "U14", "U15", "U16", "U17")


def observations(count: int, *, per_match: int, seed: int) -> Iterator[Envelope]:
    """`count` messages, published now: each match is observed `per_match` times, its score grows.

    Teams, ages and divisions repeat as in a season, so most matches are between known teams.
    """
    rng = random.Random(seed)
    series = uuid.UUID(int=rng.getrandbits(128), version=4).hex[:8]
    now = datetime.now(UTC)
    for number in range(count):
        which, turn = number % max(1, count // per_match), number * per_match // count
        home, away = which % CLUBS, (which // CLUBS + which % CLUBS + 1) % CLUBS
        if home == away:
            away = (away + 1) % CLUBS
        day = now.astimezone(LEAGUE_TIME).date() - timedelta(days=1 + which % 28)
        match = contract.parse(
            {
                "home_team": f"Club {home}",
                "away_team": f"Club {away}",
                "match_date": day.isoformat(),
                "match_time": f"{9 + which % 9:02}:{15 * (which % 4):02}",
                "season": season_of(day),
                "age_group": AGES[which % len(AGES)],
                "match_type": "League",
                "league": "Homegrown",
                "division": DIVISIONS[home % len(DIVISIONS)],
                "external_match_id": f"{series}-{which}",
                "match_status": "completed",
                "home_score": turn,
                "away_score": which % 5,
                "location": f"Field {which % 12}, Club {home}",
                "source": "league-page",
                "observed_at": (now + timedelta(milliseconds=turn)).isoformat(),
            }
        )
        message_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        yield wire.wrap(match, message_id=message_id, published_at=now)
