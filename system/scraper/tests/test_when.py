"""Dates, times, seasons, and the status that follows from the clock."""

from datetime import UTC, date, datetime, time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.contract.match import Status
from system.contract.playing import season_of
from system.scraper.parsing.kickoff import Slot, slot, status
from system.scraper.parsing.scores import Score


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        ("09/20/25 03:45pm Field 1", Slot(date(2025, 9, 20), time(15, 45), "Field 1")),
        ("09/20/25 03:45pm", Slot(date(2025, 9, 20), time(15, 45), None)),
        ("9/2/2025 3:45 PM", Slot(date(2025, 9, 2), time(15, 45), None)),
        (
            "10/18/25\u00a012:30pm\n12:05 Arena",
            Slot(date(2025, 10, 18), time(12, 30), "12:05 Arena"),
        ),
        ("10/18/25 10:00 a.m. Field A", Slot(date(2025, 10, 18), time(10), "Field A")),
        ("03/08/26 12:00am", Slot(date(2026, 3, 8), None, None)),
        ("03/08/26 12:01am", Slot(date(2026, 3, 8), time(0, 1), None)),
        ("02/29/28 12:00pm", Slot(date(2028, 2, 29), time(12), None)),
    ],
)
def test_a_date_cell_gives_day_time_and_venue(cell: str, expected: Slot) -> None:
    assert slot(cell) == expected


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "not a date like"),
        ("Saturday", "not a date like"),
        ("2025-10-18 10:00am", "not a date like"),
        ("10/18/255 10:00am", "not a date like"),
        ("10/18/25", "without a time of day"),
        ("10/18/25 Field 1", "without a time of day"),
        ("10/18/25 15:45", "without a time of day"),
        ("10/18/25 TBD", "without a time of day"),
        ("02/30/25 10:00am", "no day of the calendar"),
        ("13/01/25 10:00am", "no day of the calendar"),
        ("01/01/0000 10:00am", "no year that this league"),
        ("12/31/9999 11:00pm", "no year that this league"),
        ("10/18/25 13:00pm", "no time of the clock"),
        ("10/18/25 00:10am", "no time of the clock"),
        ("10/18/25 10:60am", "no time of the clock"),
    ],
)
def test_a_date_cell_that_says_no_kickoff_is_refused_with_a_reason(cell: str, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        slot(cell)


@given(st.text(max_size=60))
def test_no_date_cell_does_more_harm_than_being_refused(cell: str) -> None:
    try:
        slot(cell)
    except ValueError:
        return


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2025, 7, 31), "2024-25"),
        (date(2025, 8, 1), "2025-26"),
        (date(2026, 6, 30), "2025-26"),
        (date(2099, 12, 31), "2099-00"),
    ],
)
def test_a_season_begins_on_the_first_of_august(day: date, expected: str) -> None:
    assert season_of(day) == expected


NOTHING, GOALS = Score(), Score(2, 1)


@pytest.mark.parametrize(
    ("seen", "kickoff", "now", "expected"),
    [
        # 15:45 in summer is 19:45 UTC, in winter 20:45.
        (NOTHING, (2025, 9, 20, 15, 45), "2025-09-20T19:44:59Z", Status.SCHEDULED),
        (NOTHING, (2025, 9, 20, 15, 45), "2025-09-20T19:45:00Z", Status.TBD),
        (NOTHING, (2025, 12, 20, 15, 45), "2025-12-20T20:44:59Z", Status.SCHEDULED),
        (NOTHING, (2025, 12, 20, 15, 45), "2025-12-20T20:45:00Z", Status.TBD),
        # In the hour that autumn repeats the first one counts: 01:30 EDT is 05:30 UTC.
        (NOTHING, (2025, 11, 2, 1, 30), "2025-11-02T05:29:59Z", Status.SCHEDULED),
        (NOTHING, (2025, 11, 2, 1, 30), "2025-11-02T05:30:00Z", Status.TBD),
        (GOALS, (2025, 9, 20, 15, 45), "2025-09-20T22:00:00Z", Status.COMPLETED),
        (GOALS, (2025, 9, 20, 15, 45), "2025-09-20T12:00:00Z", Status.SCHEDULED),
        (Score(word=Status.POSTPONED), (2025, 9, 20, 15, 45), "2025-09-20T12:00:00Z", "postponed"),
        (Score(word=Status.CANCELLED), (2025, 9, 20, 15, 45), "2025-09-21T12:00:00Z", "cancelled"),
        (Score(3, 0, Status.FORFEIT), (2025, 9, 20, 15, 45), "2025-09-20T12:00:00Z", "forfeit"),
    ],
)
def test_the_status_follows_from_the_cell_and_the_clock(
    seen: Score, kickoff: tuple[int, int, int, int, int], now: str, expected: str
) -> None:
    at = datetime(*kickoff)  # noqa: DTZ001 - league time, as printed
    assert status(seen, at.date(), at.time(), datetime.fromisoformat(now)) == expected


@pytest.mark.parametrize(
    ("seen", "now", "expected"),
    [
        (NOTHING, "2025-09-20T03:59:00Z", Status.SCHEDULED),  # still the 19th in the east
        (GOALS, "2025-09-20T03:59:00Z", Status.SCHEDULED),
        (NOTHING, "2025-09-20T23:00:00Z", Status.SCHEDULED),  # it may still be played that day
        (GOALS, "2025-09-20T23:00:00Z", Status.COMPLETED),
        (NOTHING, "2025-09-21T03:59:00Z", Status.SCHEDULED),  # still the 20th
        (NOTHING, "2025-09-21T04:00:00Z", Status.TBD),
        (GOALS, "2025-09-21T04:00:00Z", Status.COMPLETED),
    ],
)
def test_without_a_time_only_the_date_is_compared(seen: Score, now: str, expected: str) -> None:
    assert status(seen, date(2025, 9, 20), None, datetime.fromisoformat(now)) == expected


@given(st.datetimes(timezones=st.just(UTC), min_value=datetime(2000, 1, 1)))  # noqa: DTZ001
def test_an_unplayed_match_never_counts_as_over(now: datetime) -> None:
    for at in (None, time(15, 45)):
        assert not status(NOTHING, date(2025, 9, 20), at, now).is_over
