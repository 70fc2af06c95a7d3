"""Field by field: any order ends in the same row, and what is not said is not changed."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.backend import merge
from system.backend.merge import Row
from system.contract.observation import Observation, read
from system.contract.submission import Effect

steady = settings(deadline=None, derandomize=True)
EVENING = datetime(2025, 10, 18, 22, tzinfo=UTC)
BARE: dict[str, Any] = {
    "home_team": "NEFC",
    "away_team": "Bayside FC",
    "match_date": "2025-10-18",
    "season": "2025-26",
    "age_group": "U14",
    "match_type": "League",
}
PLAYED: dict[str, Any] = {"home_score": 2, "away_score": 1, "match_status": "completed"}


def seen(minute: int, *, own_time: bool = True, **fields: Any) -> Observation:
    """An observation of a match of which only the necessary is said, and `fields`."""
    at = EVENING + timedelta(minutes=minute)
    said = {**BARE, **fields} | ({"observed_at": at.isoformat()} if own_time else {})
    return read(said, published_at=at, arrived_at=at)


def after(*observations: Observation) -> tuple[Row, list[Effect]]:
    """The row after all of them, and the effects of all but the first."""
    row, effects = merge.first(observations[0], "m0"), []
    for n, each in enumerate(observations[1:], start=1):
        row, effect = merge.merge(row, each, f"m{n}")
        effects.append(effect)
    return row, effects


def test_a_sender_that_does_not_know_the_kickoff_does_not_erase_it() -> None:
    row, effects = after(seen(0, match_time="10:00", location="Field 3"), seen(1))
    assert (row.shown["match_time"], row.shown["location"]) == ("10:00", "Field 3")
    assert effects == [Effect.UNCHANGED]


def test_null_with_a_time_says_that_it_is_not_known_any_more() -> None:
    assert after(seen(0, match_time="10:00"), seen(1, match_time=None))[0].kickoff is None
    earlier_sender = seen(1, own_time=False, match_time=None)
    assert after(seen(0, match_time="10:00"), earlier_sender)[0].kickoff


def test_two_senders_that_know_different_things_agree_in_the_end() -> None:
    one = {"match_time": "10:00", "source": "match-scraper"}
    other = {"division_id": 41, "notes": "turf", "source": "legacy-feed"}
    _, effects = after(*(seen(n, **(one if n % 2 else other)) for n in range(8)))
    assert effects == [Effect.UPDATED] + [Effect.UNCHANGED] * 6


def test_what_is_only_known_to_an_older_observation_is_filled_in() -> None:
    row, effects = after(seen(5), seen(0, location="Field 3"), seen(1, location="Field 4"), seen(2))
    assert effects == [Effect.FILLED, Effect.FILLED, Effect.STALE]
    assert row.shown["location"] == "Field 4"
    assert row.stamp == (EVENING + timedelta(minutes=5), "m0")


def test_an_observation_without_its_own_time_cannot_undo_a_result() -> None:
    late = seen(60, own_time=False, match_status="scheduled")
    for order in (seen(0, **PLAYED), late), (late, seen(0, **PLAYED)):
        row, _ = after(*order)
        assert (row.shown["status"], row.shown["home_score"]) == ("completed", 2)
    assert (
        after(seen(0, **PLAYED), seen(60, match_status="postponed"))[0].shown["home_score"] is None
    )


def test_but_it_can_bring_one_and_correct_one() -> None:
    result = seen(60, own_time=False, **PLAYED)
    assert after(seen(0, match_status="tbd"), result)[0].shown["home_score"] == 2
    correction = seen(70, own_time=False, **PLAYED | {"home_score": 3})
    assert after(seen(0, **PLAYED), correction)[0].shown["home_score"] == 3


EVERYTHING: dict[str, Any] = {
    **PLAYED,
    "external_match_id": "100502",
    "match_time": "10:00",
    "league": "Homegrown",
    "division": "Northeast",
    "division_id": 41,
    "location": "Field 3",
    "notes": "turf",
    "source": "match-scraper",
}


def test_a_row_shows_all_that_was_said_each_in_its_column() -> None:
    expected = {**BARE, **EVERYTHING, "match_date": EVENING.date()}
    expected["status"] = expected.pop("match_status")
    row = merge.first(seen(0, **EVERYTHING), "m")
    assert row.shown == expected
    assert row.shown.keys() == {*merge.ALWAYS, *merge.OPTIONAL}
    assert merge.merge(merge.first(seen(0), "m"), seen(1, **EVERYTHING), "n")[0].shown == expected


@pytest.mark.parametrize(
    ("first", "second", "known"),
    [(None, None, None), ("1", None, "1"), (None, "2", "2"), ("1", "2", "1")],
)
@pytest.mark.parametrize("minute", [9, -9], ids=["newer", "older"])
def test_the_leagues_number_once_known_stays_known(
    first: str | None, second: str | None, known: str | None, minute: int
) -> None:
    """Later messages find the match by it, so neither silence nor another number takes it away."""
    one, other = seen(0, external_match_id=first), seen(minute, external_match_id=second)
    assert after(one, other)[0].number == known
    assert merge.join(merge.first(one, "a"), merge.first(other, "b")).number == known


def test_only_ranks_that_are_not_the_usual_one_take_room_in_the_store() -> None:
    row, _ = after(seen(0, location="Field 3"), seen(5, **PLAYED))
    assert merge.ranks_as_json(row) == {
        **dict.fromkeys(merge.FIELDS.keys() - {"result", "location"}),
        "location": [1, EVENING.isoformat(), "m0"],
    }


def test_a_rank_is_read_back_in_utc_whatever_zone_it_was_written_in() -> None:
    at = EVENING.astimezone(timezone(timedelta(hours=9))).isoformat()
    (_, found, _) = merge.ranks_from_json({"notes": [1, at, "m"]}, (EVENING, "m"))["notes"]
    assert found == EVENING
    assert found.tzinfo is UTC


TURNED = {"home_team": BARE["away_team"], "away_team": BARE["home_team"]}


def test_who_turns_the_sides_without_a_result_does_not_turn_the_result() -> None:
    played = seen(0, **TURNED, **PLAYED)  # Bayside FC won
    for turns in seen(9, match_status="scheduled", own_time=False), seen(9):
        row, _ = after(played, turns)
        assert (row.shown["home_team"], row.shown["home_score"]) == ("NEFC", 1)
        row, _ = after(turns, played)
        assert (row.shown["home_team"], row.shown["home_score"]) == ("NEFC", 1)


def test_a_result_that_is_joined_from_a_row_of_the_other_way_round_stays_with_its_team() -> None:
    played, other = merge.first(seen(0, **TURNED, **PLAYED), "a"), merge.first(seen(9), "b")
    joined = merge.join(other, played)
    assert (joined.shown["home_team"], joined.shown["home_score"]) == ("NEFC", 1)


_SAID = st.fixed_dictionaries(
    {},
    optional={
        "match_time": st.sampled_from(["10:00", "11:00", None]),
        "location": st.sampled_from(["Field 1", None]),
        "division_id": st.sampled_from([41, 42]),
        "match_date": st.sampled_from(["2025-10-18", "2025-10-17"]),
        "source": st.sampled_from(["a", "b"]),
    },
)
_SIDES = st.sampled_from([{}, TURNED, {"home_team": "NEFC West"}])
_RESULT = st.sampled_from(
    [{}, PLAYED, PLAYED | {"home_score": 0}, {"match_status": "postponed"}, {"match_status": "tbd"}]
)


def _together(parts: tuple[dict[str, Any], ...]) -> dict[str, Any]:
    return {name: value for part in parts for name, value in part.items()}


_OBSERVATIONS = st.lists(
    st.tuples(st.integers(0, 2), st.booleans(), st.tuples(_SAID, _SIDES, _RESULT).map(_together)),
    min_size=2,
    max_size=4,
)


@steady
@given(_OBSERVATIONS)
def test_any_order_ends_in_the_same_row(
    observations: list[tuple[int, bool, dict[str, Any]]],
) -> None:
    messages = [
        (seen(minute, own_time=own_time, **said), f"m{n}")
        for n, (minute, own_time, said) in enumerate(observations)
    ]
    rows = []
    for order in permutations(messages):
        row = merge.first(*order[0])
        for each in order[1:]:
            row, _ = merge.merge(row, *each)
            kept = merge.ranks_from_json(merge.ranks_as_json(row), row.stamp)
            assert kept == row.ranks
        rows.append(row)
    assert all(row == rows[0] for row in rows)


@steady
@given(_OBSERVATIONS)
def test_what_was_merged_once_changes_nothing_when_it_comes_again(
    observations: list[tuple[int, bool, dict[str, Any]]],
) -> None:
    messages = [
        (seen(minute, own_time=own_time, **said), f"m{n}")
        for n, (minute, own_time, said) in enumerate(observations)
    ]
    row = merge.first(*messages[0])
    for each in messages[1:]:
        row, _ = merge.merge(row, *each)
    for each in messages:
        assert merge.merge(row, *each) == (row, Effect.STALE)


@steady
@given(_OBSERVATIONS, st.booleans())
def test_an_observation_changes_only_what_it_says(
    observations: list[tuple[int, bool, dict[str, Any]]], own_time: bool
) -> None:
    row = merge.first(seen(0, **PLAYED, match_time="10:00", location="Field 1"), "m")
    for n, (minute, _, said) in enumerate(observations):
        sides = {name: row.shown[name] for name in TURNED}
        silent = {"match_date": row.shown["match_date"].isoformat(), **said, **sides}
        after, _ = merge.merge(row, seen(minute, own_time=own_time, **silent), f"n{n}")
        changed = {name for name in row.shown if after.shown[name] != row.shown[name]}
        result = {"status", "home_score", "away_score"}
        assert changed <= said.keys() | (result if said.keys() & result | PLAYED.keys() else set())
        row = after


@steady
@given(_OBSERVATIONS, st.integers(1, 3))
def test_two_rows_joined_are_the_row_of_all_their_observations(
    observations: list[tuple[int, bool, dict[str, Any]]], cut: int
) -> None:
    messages = [
        (seen(minute, own_time=own_time, **said), f"m{n}")
        for n, (minute, own_time, said) in enumerate(observations)
    ]

    def row_of(some: list[tuple[Observation, str]]) -> Row:
        row = merge.first(*some[0])
        for each in some[1:]:
            row, _ = merge.merge(row, *each)
        return row

    cut = min(cut, len(messages) - 1)
    joined = merge.join(row_of(messages[:cut]), row_of(messages[cut:]))
    assert joined == row_of(messages)
