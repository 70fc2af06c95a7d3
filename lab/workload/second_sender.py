"""A second sender that knows less than the scraper: it repeats matches, and must change nothing.

It is one of the earlier system's programs: it leaves out when it saw a match, the time, the venue
and the result, makes up a number, says that everything is still to be played, names every season by
one name and clubs by their official ones. Only matches are taken to which nothing more happens.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import datetime
from typing import Any

from lab.workload import earlier
from lab.workload.foreign import EFFECT, ForeignMessage, legacy
from lab.workload.league.clubs import OFFICIAL_NAMES
from lab.workload.league.fates import Fate
from lab.workload.league.season import MatchStory, Season

MATCHES_MAX = 5
_STAYS = frozenset({Fate.PLAYED, Fate.NIL_BEFORE, Fate.VISITOR, Fate.PLAYED_WITHOUT_ID})


def messages(rng: random.Random, season: Season, moment: datetime) -> Iterator[ForeignMessage]:
    """What the second sender says of a few matches that are over at `moment`."""
    over = [story for story in season.stories if _is_over(story, moment)]
    rng.shuffle(over)
    # A club of which the site has another name comes first, so that it is there for sure.
    over.sort(key=lambda story: story.versions[-1].home not in OFFICIAL_NAMES)
    for row, story in enumerate(over[:MATCHES_MAX]):
        match = _what_it_knows(story)
        number = f"{match['age_group']}_{match['division']}_{row}_{moment:%Y%m%d}"
        match["external_match_id"] = number  # as it does where the page prints none
        yield legacy(rng, "a second sender that knows less", EFFECT, match)


def _is_over(story: MatchStory, moment: datetime) -> bool:
    return story.fate in _STAYS and story.index_at(moment) == len(story.versions) - 1


def _what_it_knows(story: MatchStory) -> dict[str, Any]:
    last = story.versions[-1]
    return {
        "home_team": OFFICIAL_NAMES.get(last.home, last.home),
        "away_team": OFFICIAL_NAMES.get(last.away, last.away),
        "match_date": last.day.isoformat(),
        "season": earlier.SEASON,
        "age_group": story.fixture.age_group,
        "match_type": "League",
        "division": story.fixture.division,
        "league": story.fixture.league,
        "home_score": None,
        "away_score": None,
        "match_status": "scheduled",
        "match_time": None,
        "location": None,
    }
