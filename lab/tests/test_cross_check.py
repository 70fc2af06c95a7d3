"""Two counts of one run: a scrape that is late takes away from neither."""

from __future__ import annotations

import re
import time
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lab.checker import cross_check
from lab.checker.cross_check import ACCEPTED, DEAD_LETTERED, EFFECTS, Comparison, compare
from lab.clients.prometheus import freshness
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.errors import NotWithin
from lab.history.ledger import Ledger
from lab.tests.answers import answering

LEDGER = cast(Ledger, SimpleNamespace(scraped={"a"}, effects={"a", "b"}, dead={"c", "d", "e"}))
RIGHT = {ACCEPTED: 1.0, EFFECTS: 2.0, DEAD_LETTERED: 3.0}
TOO_FEW = {**RIGHT, EFFECTS: 1.0}


class Scripted:
    """Answers as a Prometheus does whose counts are now these, and now those.

    Attributes:
        counts: what it has, one after the other; the last one for good.
        failed: a scrape has failed of late, until the last ones are due.
        for_good: or until the end.
        asked: how often it was asked for the counts.
        scraped_s: how long from now it scraped everything, at each question; None if it
            knows of nothing. The last for good.
    """

    def __init__(self, *counts: dict[str, float], failed: bool, for_good: bool = False) -> None:
        self.counts = list(counts)
        self.failed = failed
        self.for_good = for_good
        self.asked = 0
        self.scraped_s: list[float | None] = [60]

    def __call__(self, _: str, query: dict[str, str]) -> Any:
        """The answer to an instant query."""
        asked, now = query["query"], time.time()
        if freshness.LABEL in asked:
            found = [({freshness.LABEL: name}, now) for name in re.findall(r"newest-\d+", asked)]
        elif asked == "min(timestamp(up))":
            ahead = self.scraped_s[0]
            found = [] if ahead is None else [({}, now + ahead)]
            self.scraped_s = self.scraped_s[1:] or self.scraped_s
        elif "min_over_time" in asked:
            found = [({}, 0.0 if self.failed and (self.for_good or len(self.counts) > 1) else 1.0)]
            self.counts = self.counts[1:] or self.counts
        else:
            self.asked += asked == EFFECTS
            found = [({}, self.counts[0][asked])] if asked in self.counts[0] else []
            self.counts = self.counts[not found :] or self.counts
        result = [{"metric": labels, "value": [now, str(value)]} for labels, value in found]
        return {"status": "success", "data": {"resultType": "vector", "result": result}}


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_check, "SEEN_WITHIN_S", 60.0)


def compared(prometheus: Scripted) -> bool:
    """Whether both counts agree."""
    with answering(prometheus) as url, Prometheus(url) as asking:
        return all(each.agrees for each in compare(LEDGER, asking))


def test_a_sum_without_a_process_whose_scrape_was_late_is_asked_for_again() -> None:
    prometheus = Scripted(TOO_FEW, RIGHT, failed=True)
    assert compared(prometheus)
    assert prometheus.asked == 2


def test_series_that_are_gone_until_the_next_scrape_are_asked_for_again() -> None:
    assert compared(Scripted({}, RIGHT, failed=False))


def test_a_difference_is_believed_at_once_if_every_scrape_came() -> None:
    prometheus = Scripted(TOO_FEW, RIGHT, failed=False)
    assert not compared(prometheus)
    assert prometheus.asked == 1


def test_what_is_down_for_good_is_not_waited_for_without_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cross_check, "SEEN_WITHIN_S", 0.5)
    assert not compared(Scripted(TOO_FEW, failed=True, for_good=True))


def test_a_count_that_nobody_has_is_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cross_check, "SEEN_WITHIN_S", 0.5)
    with pytest.raises(NoData):
        compared(Scripted({ACCEPTED: 1.0}, failed=True, for_good=True))


def test_each_count_is_held_against_its_own() -> None:
    with answering(Scripted(RIGHT, failed=False)) as url, Prometheus(url) as asking:
        found = compare(LEDGER, asking)
    assert found == [
        Comparison("accepted by the scraper", 1, 1.0),
        Comparison("took effect", 2, 2.0),
        Comparison("dead-lettered", 3, 3.0),
    ]
    assert all(each.agrees for each in found)


@pytest.mark.parametrize("count", [ACCEPTED, EFFECTS, DEAD_LETTERED])
@pytest.mark.parametrize("by", [-1, 1, 0.5])
def test_any_count_that_differs_is_seen(count: str, by: float) -> None:
    assert not compared(Scripted({**RIGHT, count: RIGHT[count] + by}, failed=False))


def test_counts_that_agree_are_believed_though_a_scrape_failed() -> None:
    prometheus = Scripted(RIGHT, failed=True, for_good=True)
    assert compared(prometheus)
    assert prometheus.asked == 1


def test_what_was_scraped_before_the_question_is_not_believed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The counts of the last seconds are missing in it."""
    prometheus = Scripted(RIGHT, failed=False)
    prometheus.scraped_s = [-5, None, -5, 60]
    assert compared(prometheus)
    assert prometheus.scraped_s == [60]
    monkeypatch.setattr(cross_check, "SEEN_WITHIN_S", 0.3)
    prometheus.scraped_s = [-5]
    with pytest.raises(NotWithin, match="scrape everything once more"):
        compared(prometheus)
    assert prometheus.asked == 1


def test_a_comparison_is_told_in_both_numbers() -> None:
    assert str(Comparison("took effect", 12000, 11999.0)) == "took effect: 12,000 and 11,999"
