"""Defects of the scraper and of its publisher."""

from __future__ import annotations

from lab.sabotage.defect import Defect, scraper
from lab.sabotage.judging import TRUTH
from lab.sabotage.scenes import deaths, messages, outages, pages, watched

DEFECTS: dict[str, Defect] = {
    "no-confirm": Defect(
        "A message counts as confirmed once it is written to the socket.",
        scraper("confirm"),
        deaths.the_broker_dies_while_the_scraper_publishes,
        (1,),
    ),
    "no-return": Defect(
        "The publisher does not hear of a message that found no queue.",
        scraper("unreturned"),
        outages.the_queue_is_unbound,
        (1,),
    ),
    "forgetful-fallback": Defect(
        "What the broker refuses counts as sent to the API, and nothing is sent.",
        scraper("weak_scraper", "forgets-fallback"),
        outages.the_broker_refuses_the_scraper,
        (1,),
    ),
    "outbox-emptied-early": Defect(
        "A message leaves the outbox before it is sent.",
        scraper("weak_scraper", "empties-early"),
        outages.the_scraper_has_no_way,
        (1,),
    ),
    "journal-ahead": Defect(
        "The last message of each page is said to be accepted, and is nowhere.",
        scraper("weak_scraper", "delivers-less"),
        pages.a_season_goes_by,
        (1,),
    ),
    "wrong-key": Defect(
        "One message in twenty has the routing key of another queue.",
        scraper("weak_scraper", "wrong-key"),
        pages.a_season_goes_by,
        (4,),
    ),
    "round-the-broker": Defect(
        "Every 40th message goes to the API, though the broker is there.",
        scraper("stray_ways"),
        pages.a_season_goes_by,
        (pages.WAYS,),
    ),
    "not-on-disk": Defect(
        "Messages are marked as if the broker need not keep them on disk.",
        scraper("weak_scraper", "in-memory"),
        messages.pages_are_read_while_no_worker_is_there,
        (messages.KEPT,),
    ),
    "skipped-scores": Defect(
        "Rows with scores that are seldom seen are left out.",
        scraper("weak_scraper", "skips-high-scores"),
        pages.a_season_goes_by,
        (TRUTH,),
    ),
    "numbered-by-row": Defect(
        "A match is known by the number of its row.",
        scraper("weak_scraper", "numbers-by-row"),
        pages.a_season_goes_by,
        (TRUTH,),
        frozenset({pages.SCRAPE, 3, 4}),
    ),
    "mute-refusals": Defect(
        "A row that cannot be read is refused without a reason.",
        scraper("weak_scraper", "refuses-without-words"),
        pages.a_season_goes_by,
        (4,),
    ),
    "hidden-refusals": Defect(
        "A row that cannot be read is left out, and nobody hears of it.",
        scraper("weak_scraper", "hides-refusals"),
        pages.a_season_goes_by,
        (pages.SCRAPE, "scrape 2"),
    ),
    "first-page-only": Defect(
        "Every page is taken for the last one.",
        scraper("first_page_only"),
        pages.pages_look_strange,
        (pages.SCRAPE, TRUTH),
    ),
    "numbers-unread": Defect(
        "It is not seen by its number that a page is the last one.",
        scraper("numbers_unread"),
        pages.pages_look_strange,
        (pages.SCRAPE,),
    ),
    "accepted-counted-twice": Defect(
        "Each message that is accepted is counted twice.",
        scraper("weak_scraper", "counts-twice"),
        watched.a_watched_season_goes_by,
        (watched.ACCOUNTS,),
    ),
}
