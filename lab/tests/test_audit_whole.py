"""The audit as a whole: what it tells of a run."""

from __future__ import annotations

from dataclasses import asdict

import pytest

from lab.checker import verdict as formats
from lab.checker.check import Counts, as_document, audit, undecided
from lab.checker.verdict import Verdict
from lab.history.log import HistoryError
from lab.tests.histories import (
    Record,
    attempted,
    dead_letter,
    events,
    record,
)
from lab.tests.injections import judged
from lab.tests.small_runs import accepted, ran, stored

ZERO = Counts()


def refused(message_id: str, event: str = "refused") -> list[Record]:
    return [
        attempted(message_id, 1, "1"),
        record(event, 1, message_id=message_id, way="http", detail="no"),
    ]


@pytest.mark.parametrize(
    ("added", "counted"),
    [
        ([], {}),
        (accepted("m"), {"attempted": 1, "accepted": 1, "lost": 1}),
        ([*accepted("m"), stored("m")], {"attempted": 1, "accepted": 1, "committed": 1}),
        (
            [*accepted("m"), stored("m", effect="updated")],
            {"attempted": 1, "accepted": 1, "committed": 1},
        ),
        (
            [*accepted("m"), stored("m", effect="filled")],
            {"attempted": 1, "accepted": 1, "committed": 1},
        ),
        (
            [*accepted("m"), stored("m", effect="stale")],
            {"attempted": 1, "accepted": 1, "unchanged": 1},
        ),
        (
            [*accepted("m"), stored("m", effect="unchanged")],
            {"attempted": 1, "accepted": 1, "unchanged": 1},
        ),
        (
            [*accepted("m"), stored("m", 1.2, "1"), stored("m", 1.3, "1")],
            {"attempted": 1, "accepted": 1, "committed": 1, "duplicated": 1},
        ),
        (
            [*accepted("m"), dead_letter("m", 4)],
            {"attempted": 1, "accepted": 1, "dead_lettered": 1},
        ),
        (
            [*accepted("m"), record("set_aside", 9, message_id="m", reason="no")],
            {"attempted": 1, "accepted": 1, "set_aside": 1},
        ),
        (
            [
                *accepted("m"),
                record("pending", 9, where="outbox", message_ids=["m"]),
                record("pending", 9, where="queue", count=4),
            ],
            {"attempted": 1, "accepted": 1, "waiting": 5},
        ),
        ([stored("m", identity="2")], {"committed": 1, "unexpected": 1}),
        (refused("m"), {"attempted": 1, "refused": 1}),
        (refused("m", "unknown"), {"attempted": 1, "unconfirmed": 1}),
        (
            [*refused("m", "unknown"), stored("m")],
            {"attempted": 1, "committed": 1, "recovered": 1},
        ),
        (
            [record("row_refused", 1, page="U14", row=3, reason="no date", excerpt="")] * 2,
            {"rows_refused": 2},
        ),
    ],
)
def test_every_message_is_counted_where_it_belongs(
    added: list[Record], counted: dict[str, int]
) -> None:
    base = {"attempted": 1, "accepted": 1, "committed": 1}
    wanted = asdict(ZERO) | base
    for name, number in counted.items():
        wanted[name] += number
    assert asdict(judged(ran(*added)).counts) == wanted


def test_an_undecided_one_is_counted_as_such() -> None:
    not_settled = record("settled", 8, ok=False, seconds=60, waiting=1)
    counts = judged(ran(*accepted("m"), settled=not_settled)).counts
    assert (counts.lost, counts.undecided) == (0, 1)


# Which run, and how long.


def test_a_run_that_did_not_end_lasts_until_the_last_thing_that_was_recorded() -> None:
    records = [each for each in ran() if each["event"] != "ended"]
    assert judged([*records, record("scrape", 30)]).seconds == 30
    assert judged([*ran(), record("scrape", 30)]).seconds == 9


def test_a_history_without_a_beginning_has_the_name_of_its_folder_and_its_first_time() -> None:
    result = audit(events(ran()[1:]), name="folder")
    assert (result.name, result.substrate, result.seed) == ("folder", None, None)
    assert (result.started, result.seconds) == (events([record("", 1)])[0].at, 8)
    assert dict(result.settings) == {}
    assert audit(events(ran()), name="folder").name == "r"
    assert audit([]).name == "unnamed"
    assert (audit([]).started, audit([]).seconds) == (None, 0)


def test_a_run_begins_where_it_says_so() -> None:
    """What was recorded before that, or by a clock that is behind, does not make it longer."""
    assert judged([record("scrape", -5), *ran()]).seconds == 9


def test_a_run_never_lasts_less_than_nothing() -> None:
    """Its clock was set back."""
    assert judged([*ran()[:-1], record("ended", -5)]).seconds == 0


def test_settings_are_handed_on_as_they_are() -> None:
    records = ran()
    records[0]["settings"] = {"workers": 2, "objectives": {"latency_mean_ms": 900}}
    result = judged(records)
    assert dict(result.settings) == {"workers": 2, "objectives": {"latency_mean_ms": 900}}
    assert [each.objective for each in result.objectives] == [0.999, 900]
    for odd in (["a"], None, "text"):
        records[0]["settings"] = odd
        assert judged(records).settings == {}


@pytest.mark.parametrize("seed", [None, 0, 7])
def test_a_seed_is_a_whole_number_or_none(seed: int | None) -> None:
    records = ran()
    records[0]["seed"] = seed
    assert judged(records).seed == seed


@pytest.mark.parametrize(
    "broken",
    [
        {"seed": True},
        {"seed": 7.0},
        {"settings": {"objectives": {"success_ratio": True}}},
        {"settings": {"objectives": {"success_ratio": None, "speed": 1}}},
        {"settings": {"objectives": 5}},
    ],
    ids=str,
)
def test_a_beginning_that_says_nonsense_is_an_error(broken: Record) -> None:
    records = ran()
    records[0] |= broken
    (field,) = broken
    with pytest.raises(HistoryError, match=f"line 1: {field} of event 'started' must be"):
        judged(records)


# Why.


def test_a_law_a_check_and_an_objective_that_are_broken_are_all_told_in_this_order() -> None:
    records = ran(
        *accepted("m"),
        record("check", 9, name="one", verdict="invalid", detail="it differs"),
        record("check", 9, name="two", verdict="unknown", detail="away"),
        record("check", 9, name="three", verdict="invalid", detail="again", law=2),
    )
    assert judged(records).why == (
        "law 1, conservation: 1 accepted, and in no place after the system settled"
        " | law 2, one effect: check “three” is invalid: again"
        " | check “one”: it differs"
        " | objective success_ratio: 1 of 2 accepted valid messages took effect"
        " (0.5, asked for 0.999)"
    )


def test_what_could_not_be_seen_is_told_before_what_that_leaves_open() -> None:
    records = [each for each in ran() if each.get("what") != "queues"]
    assert judged(records).why == (
        "law 5, all was looked at: queues could not be probed (no probe)"
        " | law 1, conservation: queues could not be probed (no probe)"
    )


def test_an_objective_without_a_value_has_no_number() -> None:
    unsure = [each for each in ran() if each["event"] not in ("accepted", "receipt")]
    assert judged(unsure).why == (
        "objective success_ratio: no valid message was accepted"
        " | objective latency_mean_ms: no message ended"
    )
    assert judged(ran()).why == "all five laws hold, and the objectives are met"


@pytest.mark.parametrize("length", [499, 500, 501, 900])
def test_the_reason_is_one_line_of_what_the_format_takes(length: int) -> None:
    why = undecided("x" * (length - 4) + " \n\t yyy", name="r").why
    assert "\n" not in why
    assert len(why) == min(length, 500)
    assert why.endswith("x yyy" if length <= 500 else "…")
    formats.check(as_document(undecided("y " * 600, name="r")))


def test_a_run_that_was_never_judged_is_unknown() -> None:
    result = undecided("it crashed", name="r")
    assert (result.name, result.why, result.verdict) == ("r", "it crashed", Verdict.UNKNOWN)
    assert not result.valid
    assert (result.substrate, result.seed, result.started, result.seconds) == (None, None, None, 0)
    assert result.counts == ZERO


# The story for the page.


def test_valid_messages_that_died_are_told_first_then_by_time_then_by_name() -> None:
    records = ran(
        *accepted("b"),
        *accepted("a"),
        *accepted("late"),
        *accepted("broken", expect="dead-letter"),
        dead_letter("broken", 2),
        dead_letter("late", 6),
        dead_letter("b", 4),
        record("set_aside", 4, message_id="a", reason="no"),
        dead_letter("stray", 1),
    )
    story = judged(records).story
    assert [death.message_id for death in story.deaths] == ["a", "b", "late", "stray", "broken"]


def test_the_page_gets_every_way_every_row_and_every_depth() -> None:
    story = judged(
        ran(
            record("depth", 2, queue="q", ready=4),
            record("row_refused", 1, page="U14", row=3, reason="no date", excerpt=""),
        )
    ).story
    assert [way.outcome.value for way in story.ways] == ["committed"]
    assert [(depth.queue, depth.ready) for depth in story.depths] == [("q", 4)]
    assert [row.page for row in story.rows] == ["U14"]
