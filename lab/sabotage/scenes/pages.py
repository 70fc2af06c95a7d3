"""Seasons, and what real pages and a second sender do to them."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise

from lab.experiment import season
from lab.experiment.lab import Lab
from lab.sabotage.scene import Setup, scene
from lab.sabotage.scenes.doing import last_moment, scrape
from lab.workload.league.fates import Fate
from lab.workload.league.listing import listing
from lab.workload.league.season import MatchStory
from lab.workload.league.views import PAGE_SIZE_USUAL

SCRAPE = "scrape 1"
TABLES = season.TABLES
WAYS = "every message went by the queue"
_SCRAPES = 2
_MOMENTS = 500
_SMALL = {"matches": 60, "seed": 3}

SEASON = Setup("with a season", _SMALL)
PAGES = Setup("with pages of a season", _SMALL)
VISITORS = Setup(
    # Only so large a season has divisions in which a team can be told from a visitor. The site
    # takes its time, so that a busy machine stores most of it meanwhile.
    "with a season that has visitors",
    {"matches": 800, "seed": 3, "page_delay_ms": 750},
)


@scene(SEASON)
def a_season_goes_by(lab: Lab) -> None:
    """It is scraped now and then; other senders say of it what they know, and what nobody can."""
    season.observe(lab, _SCRAPES, lambda line: None)


@scene(PAGES)
def pages_look_strange(lab: Lab) -> None:
    """A page repeats the one before, and the last one leads to itself."""
    for moment in lab.season.moments(_MOMENTS):
        rows = lab.season.rows_at(moment)
        listed = listing(rows, PAGE_SIZE_USUAL, lab.season.seed, moment)
        if listed.last_to_itself and any(one is two for one, two in pairwise(listed.pages)):
            scrape(lab, moment)
            return
    raise AssertionError("no moment has such pages; try another seed")


@scene(PAGES)
def nil_is_printed_before_kickoff(lab: Lab) -> None:
    """The site shows 0 : 0 for a match that is still to be played."""
    scrape(lab, _with(lab, Fate.NIL_BEFORE).versions[1].since + timedelta(minutes=1))


@scene(PAGES)
def numbers_come_late(lab: Lab) -> None:
    """A match is scraped before the site prints its number, and after."""
    numbered = _with(lab, Fate.ID_LATE).versions[1].since
    scrape(lab, numbered - timedelta(minutes=1))
    lab.settle()
    scrape(lab, numbered + timedelta(minutes=1))


@scene(PAGES)
def a_second_sender_knows_less(lab: Lab) -> None:
    """After the season it says of a few matches that they are scheduled, and not when."""
    scrape(lab)
    lab.settle()
    lab.send_as_second_sender(last_moment(lab))


@scene(VISITORS)
def teams_visit_another_division(lab: Lab) -> None:
    """The site lists a match of two divisions in one of them."""
    assert any(story.fate is Fate.VISITOR for story in lab.season.stories)
    scrape(lab)
    lab.settle()
    season.compare_tables(lab)


def _with(lab: Lab, fate: Fate) -> MatchStory:
    return next(story for story in lab.season.stories if story.fate is fate)
