"""Every misprint that a scraper must see through occurs in a season of the usual size."""

from __future__ import annotations

from datetime import date, datetime, time

import pytest

from lab.workload.league import quirks
from lab.workload.league.clubs import OFFICIAL_NAMES
from lab.workload.league.dice import Dice
from lab.workload.league.rows import Row
from lab.workload.league.season import Season


@pytest.fixture(scope="module")
def rows(season: Season, moments: list[datetime]) -> list[Row]:
    return [row for moment in moments for row in season.rows_at(moment)]


def test_every_word_for_no_score_and_for_called_off_is_used(rows: list[Row]) -> None:
    scores = {row.score for row in rows}
    assert scores >= {*quirks.NO_SCORE_WORDS, *quirks.POSTPONED_WORDS, *quirks.CANCELLED_WORDS}
    for mark in quirks.FORFEIT_MARKS:
        assert scores & {f"3 : 0 {mark}", f"0 : 3 {mark}"}


def test_numbers_are_set_apart_in_every_way(rows: list[Row]) -> None:
    played = [row.score for row in rows if row.score[:1].isdigit()]
    for separator in quirks.SEPARATORS:
        for blank in (" ", "\u00a0", "\t"):
            assert any(f"{blank}{separator}{blank}" in score for score in played)


def test_long_names_short_names_and_glued_labels_are_printed(rows: list[Row]) -> None:
    names = {row.home for row in rows} | {row.away for row in rows}
    for short, long in OFFICIAL_NAMES.items():
        assert {short, long} <= names
    for blank in ("", " ", "\u00a0"):
        assert any(
            name.endswith(f"{blank}Championship Qualification")
            and not name.startswith(blank or "~")
            for name in names
        )
    assert any(name.endswith("UnitedChampionship Qualification") for name in names)


@pytest.mark.parametrize("cell", ["kickoff", "venue", "division", "home", "away"])
def test_odd_blanks_stand_in_every_kind_of_cell(rows: list[Row], cell: str) -> None:
    texts = "".join(getattr(row, cell) or "" for row in rows)
    assert "\u00a0" in texts
    assert "\t" in texts


def test_missing_venues_ids_and_times_occur(rows: list[Row]) -> None:
    assert {"", None} <= {row.venue for row in rows}
    assert "\t\nMALE" in {row.match_id for row in rows}
    assert any("12:00am" in row.kickoff for row in rows)
    assert any("12:00pm" not in row.kickoff and "pm" in row.kickoff for row in rows)


@pytest.mark.parametrize(
    ("at", "printed"),
    [
        (time(15, 45), "09/20/25 03:45pm"),
        (time(12, 0), "09/20/25 12:00pm"),
        (time(9, 5), "09/20/25 09:05am"),
        (None, "09/20/25 12:00am"),
    ],
)
def test_times_are_printed_on_a_clock_of_twelve_hours(at: time | None, printed: str) -> None:
    assert " ".join(quirks.kickoff(date(2025, 9, 20), at, Dice("clock")).split()) == printed
