"""Judging and counting: pure, on made-up turns."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from load.bench import tables
from load.bench.compare import figures, rounds
from load.bench.compare.judge import Seen, Sent, complaints
from load.bench.compare.turn import Turn

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SENT = [
    Sent("a", "one", NOW),
    Sent("b", "one", NOW + timedelta(seconds=1)),
    Sent("c", "two", NOW),
]
RIGHT = {"one": "b", "two": "c"}


def turn(contender: str, per_s: float | None, *, ours: bool = False) -> Turn:
    wrong = [] if per_s else ["3 messages have no receipt"]
    return Turn(contender, ours, 100, per_s, 1.0, wrong, {"worker": 10.0, "broker": 5.0}, 80.0)


ROUNDS = [
    [turn("ours", 3000, ours=True), turn("fast", 1000), turn("slow", 500)],
    [turn("slow", 510), turn("ours", 3600, ours=True), turn("fast", 900)],
    [turn("fast", 950), turn("slow", 2000), turn("ours", 3800, ours=True)],
]


def test_all_receipts_once_and_the_newest_on_top_is_right() -> None:
    assert complaints(SENT, Seen(["c", "a", "b"], RIGHT, waiting=0)) == []


@pytest.mark.parametrize(
    ("seen", "said"),
    [
        (Seen(["a", "b"], RIGHT, 0), "1 messages have no receipt, as c"),
        (Seen(["a", "b", "c", "c"], RIGHT, 0), "1 messages have several receipts, as c"),
        (Seen(["a", "b", "c", "x"], RIGHT, 0), "1 receipts are of no message that was sent, as x"),
        (
            Seen(["a", "b", "c"], {"one": "a", "two": "c"}, 0),
            "1 matches are not their newest observation, as one",
        ),
        (
            Seen(["a", "b", "c"], {"one": "b"}, 0),
            "1 matches are not their newest observation, as two",
        ),
        (Seen(["a", "b", "c"], {**RIGHT, "six": "x"}, 0), "1 matches were never sent, as six"),
        (Seen(["a", "b", "c"], RIGHT, 7), "7 messages were not acknowledged"),
    ],
)
def test_whatever_is_wrong_is_said(seen: Seen, said: str) -> None:
    assert complaints(SENT, seen) == [said]


def test_a_rate_is_the_median_of_the_rounds_and_has_its_spread() -> None:
    ours, fast, slow = figures.rates(ROUNDS)
    assert (ours.contender, ours.per_s, ours.lowest, ours.highest) == ("ours", 3600, 3000, 3800)
    assert (fast.contender, fast.per_s) == ("fast", 950)
    assert (slow.contender, slow.per_s) == ("slow", 510)
    assert ours.cpu_us == 15


def test_a_ratio_is_over_the_best_median_and_its_spread_over_the_best_of_each_round() -> None:
    (ratio,) = figures.ratios(ROUNDS)
    assert (ratio.contender, ratio.best) == ("ours", "fast")
    assert ratio.value == round(3600 / 950, 2)
    assert (ratio.lowest, ratio.highest) == (round(3800 / 2000, 2), round(3600 / 900, 2))


def test_one_turn_without_a_number_takes_it_from_the_contender() -> None:
    lost = [*ROUNDS, [turn("ours", 9000, ours=True), turn("fast", 9000), turn("slow", None)]]
    by_name = {rate.contender: rate for rate in figures.rates(lost)}
    assert by_name["slow"].per_s is None
    assert by_name["slow"].why_not == "3 messages have no receipt"
    assert figures.ratios(lost) == []
    assert "| slow | no number: 3 messages have no receipt | | |" in figures.table(lost)
    assert figures.table(lost)[-1] == "- no ratio: a contender has no number"


def test_ours_without_a_number_has_no_ratio() -> None:
    lost = [*ROUNDS, [turn("ours", None, ours=True), turn("fast", 9000), turn("slow", 1)]]
    assert figures.ratios(lost) == []


def test_the_table_has_the_fastest_first_and_the_ratio_below() -> None:
    lines = figures.table(ROUNDS)
    assert lines[2] == "| ours | 3,600 (3,000 to 3,800) | 15 | 80 |"
    assert lines[-1].startswith("- ours: **3.79 times** fast, the best of the others (1.90 to 4.00")


def test_everybody_has_a_turn_in_each_round_in_an_order_of_the_seed() -> None:
    drawn = rounds.orders(5, 20, seed=1)
    assert all(sorted(order) == [0, 1, 2, 3, 4] for order in drawn)
    assert drawn == rounds.orders(5, 20, seed=1)
    assert len({tuple(order) for order in drawn}) > 5


def test_only_what_is_between_the_marks_is_written() -> None:
    page = f"above\n{tables.BEGIN}\nold\n{tables.END}\nbelow\n"
    assert tables.written_into(page, ["new"]) == page.replace("old", "new")
    for broken in ("nothing", page + page, f"{tables.END} {tables.BEGIN}"):
        with pytest.raises(ValueError, match="the page needs one"):
            tables.written_into(broken, ["new"])
