"""One match, one row: with its number, without it, turned round, and in whatever order."""

from __future__ import annotations

from datetime import timedelta
from itertools import permutations
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from system.backend import merge, operations, store
from system.backend.operations import OperationError
from system.backend.tests.messages import EVENING, MATCH, RECEIVED, effects, message, submit
from system.backend.tests.test_migrations import _command
from system.contract.submission import Effect, Submission

pytestmark = pytest.mark.services

NO_NUMBER: dict[str, Any] = {"external_match_id": None}
TURNED = {"home_team": MATCH["away_team"], "away_team": MATCH["home_team"]}
RESULT = {"home_score": 1, "away_score": 3}


def without(*fields: str, message_id: str, minute: int = 0) -> Submission:
    """A message that lacks these fields."""
    made = message(message_id, minute=minute)
    kept = {name: value for name, value in made.match.items() if name not in fields}
    return made.model_copy(update={"match": kept})


def shown(connection: psycopg.Connection) -> list[tuple[Any, ...]]:
    """Every match that a reader sees: number, home team, home score, and doubts about it."""
    return connection.execute(
        "SELECT m.external_match_id, t.name, m.home_score, (SELECT count(*) FROM"
        " possible_duplicates WHERE m.id IN (match_id, other_id)) FROM matches m"
        " JOIN teams t ON t.id = m.home_team_id WHERE m.merged_into IS NULL ORDER BY m.id"
    ).fetchall()


def test_a_number_joins_the_match_that_was_seen_without_it(connection: psycopg.Connection) -> None:
    assert effects(
        connection,
        message("a", **NO_NUMBER),
        message("b", minute=1),
        message("c", minute=2, **NO_NUMBER),
        without("external_match_id", message_id="d", minute=3),
    ) == [Effect.CREATED, Effect.UPDATED, Effect.UNCHANGED, Effect.UNCHANGED]
    assert shown(connection) == [("101201", "NEFC", None, 0)]


def test_it_is_one_match_in_whatever_order_its_messages_come(
    connection: psycopg.Connection,
) -> None:
    messages = [
        message("a", **NO_NUMBER),
        message("b", minute=1),
        message("c", minute=2, **NO_NUMBER, **TURNED, **RESULT),
    ]
    for order in permutations(messages):
        connection.execute("TRUNCATE matches, receipts, teams CASCADE")
        for each in order:
            submit(connection, each)
        assert shown(connection) == [("101201", "Bayside FC", 1, 0)]


def test_the_sides_may_be_turned_without_a_number_when_the_result_comes(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("a", **NO_NUMBER))
    assert effects(connection, message("b", minute=9, **NO_NUMBER, **TURNED, **RESULT)) == [
        Effect.UPDATED
    ]
    assert shown(connection) == [(None, "Bayside FC", 1, 0)]


NEXT_DAY = {"match_date": "2025-10-19"}


@pytest.mark.parametrize("batches", [1, 3])
def test_a_match_that_moves_meets_what_was_seen_of_it_without_its_number(
    connection: psycopg.Connection, batches: int
) -> None:
    """The page leaves the number out on the day on which it shows the new date."""
    messages = [
        message("a"),
        message("b", minute=1, **NO_NUMBER, **NEXT_DAY, location="Field 3"),
        message("c", minute=2, **NEXT_DAY),
    ]
    for order in permutations(messages):
        connection.execute("TRUNCATE matches, receipts, teams CASCADE")
        for at in range(batches):
            submit(connection, *order[at::batches])
        assert shown(connection) == [("101201", "NEFC", None, 0)], order
        assert connection.execute(
            "SELECT DISTINCT m.match_date::text, m.location, r.match_id = m.id FROM matches m,"
            " receipts r WHERE m.merged_into IS NULL AND r.message_id = 'c'"
        ).fetchall() == [("2025-10-19", "Field 3", True)]
        (late,) = submit(connection, message("d", minute=3, **NO_NUMBER, **NEXT_DAY))
        assert late.effect is Effect.UNCHANGED


def test_a_match_that_moves_to_where_it_may_be_one_of_several_is_said(
    connection: psycopg.Connection,
) -> None:
    there = {**NO_NUMBER, **NEXT_DAY}
    submit(connection, message("a", **there), message("b", **there, division="Florida"))
    submit(connection, without("division", message_id="c"))
    moves = without("division", message_id="d", minute=1)
    submit(connection, moves.model_copy(update={"match": moves.match | NEXT_DAY}))
    assert [each[3] for each in shown(connection)] == [1, 1, 2]


_SEEN = st.fixed_dictionaries(
    {},
    optional={
        "external_match_id": st.just("101201"),
        "division": st.just("Northeast"),
        "league": st.sampled_from(["Homegrown", "Homegrown Division"]),
        "match_time": st.sampled_from(["10:00", None]),
        "location": st.sampled_from(["Field 1", "Field 2"]),
        "sides": st.sampled_from(
            [{}, TURNED, {"home_team": "nefc"}, {"home_team": "NEFC Championship Qualification"}]
        ),
        "result": st.sampled_from([RESULT, {"match_status": "tbd"}]),
        "own_time": st.just(False),
    },
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.lists(_SEEN, min_size=2, max_size=4), st.integers(1, 4))
def test_whatever_is_said_of_a_match_in_whatever_order_it_is_one_row(
    connection: psycopg.Connection, seen: list[dict[str, Any]], batches: int
) -> None:
    """Its number, league, division, time, sides and names may all be left out or differ."""
    required = {name: MATCH[name] for name in merge.ALWAYS}
    messages = []
    for n, said in enumerate(seen):
        when = (EVENING + timedelta(minutes=n)).isoformat()
        parts = {name: said[name] for name in said.keys() - {"sides", "result", "own_time"}}
        payload = required | parts | said.get("sides", {}) | said.get("result", {})
        if said.get("own_time", True):
            payload["observed_at"] = when
        messages.append(Submission(message_id=f"m{n}", match=payload, published_at=when))
    ends = set()
    for order in list(permutations(messages))[:: max(1, len(messages) - 1)]:
        connection.execute("TRUNCATE matches, receipts, teams CASCADE")
        for first in range(batches):
            submit(connection, *order[first::batches])
        rows = connection.execute(
            "SELECT m.external_match_id, m.league, m.division, m.match_time::text, m.location,"
            " m.status, m.home_score, m.away_score, h.key, m.merged_into, m.ranks::text"
            " FROM matches m JOIN teams h ON h.id = m.home_team_id"
        ).fetchall()
        assert len(rows) == 1
        ends.add(rows[0])
    assert len(ends) == 1, ends


@pytest.mark.parametrize(
    "other",
    [
        {"match_date": "2025-10-19"},
        {"age_group": "U15"},
        {"league": "Academy"},
        {"division": "Florida"},
        {"match_type": "Friendly"},
        {"away_team": "Weston FC"},
    ],
    ids=str,
)
def test_another_day_age_league_division_kind_or_team_is_another_match(
    connection: psycopg.Connection, other: dict[str, Any]
) -> None:
    submit(connection, message("a", **NO_NUMBER))
    (effect,) = effects(connection, message("b", external_match_id="7", **other))
    assert effect is Effect.CREATED
    assert [each[3] for each in shown(connection)] == [0, 0]


def test_a_sender_that_does_not_know_the_division_means_the_same_match(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("a"))
    less = without("league", "division", "external_match_id", message_id="b", minute=1)
    assert effects(connection, less) == [Effect.UNCHANGED]
    assert connection.execute("SELECT league, division FROM matches").fetchall() == [
        ("Homegrown", "Northeast")
    ]


def test_two_numbers_are_two_matches_and_the_time_tells_which_is_meant(
    connection: psycopg.Connection,
) -> None:
    """Two matches of the same teams on one day."""
    submit(connection, message("a"), message("b", external_match_id="7", match_time="16:00"))
    afternoon = message("c", minute=1, **NO_NUMBER, **RESULT, match_time="16:00")
    assert effects(connection, afternoon) == [Effect.UPDATED]
    assert shown(connection) == [("101201", "NEFC", None, 0), ("7", "NEFC", 1, 0)]


def test_what_may_be_one_of_several_is_kept_apart_and_said(connection: psycopg.Connection) -> None:
    submit(connection, message("a"), message("b", external_match_id="7", match_time="16:00"))
    (outcome,) = submit(connection, message("c", minute=1, **NO_NUMBER, match_time="12:00"))
    assert outcome.effect is Effect.CREATED
    assert [each[3] for each in shown(connection)] == [1, 1, 2]
    (again,) = submit(connection, message("d", minute=2, **NO_NUMBER, match_time="16:00"))
    assert again.match_id == outcome.match_id  # one key, one match, from then on
    pairs = operations.duplicates(connection)
    assert {(pair.id, pair.other_number) for pair in pairs} == {(3, "101201"), (3, "7")}


def test_the_other_way_round_at_another_time_may_be_a_second_match(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("a", **NO_NUMBER))
    submit(connection, message("b", minute=1, **NO_NUMBER, **TURNED, match_time="16:00"))
    assert [each[3] for each in shown(connection)] == [1, 1]


def test_one_number_in_two_age_groups_is_refused_with_the_reason(
    connection: psycopg.Connection,
) -> None:
    first, second = submit(connection, message("a"), message("b", minute=1, age_group="U15"))
    assert (first.effect, second.effect) == (Effect.CREATED, Effect.INVALID)
    (violation,) = second.violations
    assert violation["field"] == "external_match_id"
    assert "U14" in violation["rule"]
    assert connection.execute("SELECT count(*) FROM receipts").fetchone() == (1,)


def test_two_spellings_are_one_team_and_the_first_one_is_shown(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("a", home_team="FC Dallas"))
    assert effects(connection, message("b", minute=1, home_team="FC DALLAS")) == [Effect.UNCHANGED]
    other = message("c", minute=1, external_match_id="7", home_team="FC DALLAS")
    assert effects(connection, other) == [Effect.CREATED]
    assert connection.execute("SELECT name FROM teams ORDER BY 1").fetchall() == [
        ("Bayside FC",),
        ("FC Dallas",),
    ]


def test_what_was_sent_is_kept_beside_what_is_shown(connection: psycopg.Connection) -> None:
    submit(connection, message("a", home_team="IFA HG"), message("b", external_match_id="7"))
    assert connection.execute("SELECT sent FROM receipts ORDER BY message_id").fetchall() == [
        ({"home_team": "IFA HG"},),
        (None,),
    ]


def test_an_operator_joins_two_matches_and_both_keys_lead_there(
    clean: str, connection: psycopg.Connection
) -> None:
    submit(connection, message("a", **NO_NUMBER, match_date="2025-10-11"))
    submit(connection, message("b", minute=1, **RESULT), message("c", external_match_id="7"))
    done = _command("matches", "merge", "1", "2", "--reason", "moved", DATABASE_URL=clean)
    assert done.returncode == 0, done.stderr
    assert shown(connection) == [("101201", "NEFC", 1, 0), ("7", "NEFC", None, 0)]
    late = [message("d", minute=5), message("e", minute=6, **NO_NUMBER, match_date="2025-10-11")]
    assert [each.match_id for each in submit(connection, *late)] == [1, 1]
    recorded = connection.execute("SELECT action, match_id, reason FROM interventions").fetchall()
    assert recorded == [("merge", 2, "moved"), ("merge", 1, "moved")]


def test_a_listing_shows_the_pairs_and_what_to_do(
    clean: str, connection: psycopg.Connection
) -> None:
    submit(connection, message("a"), message("b", external_match_id="7", match_time="16:00"))
    submit(connection, message("c", **NO_NUMBER, match_time="12:00"))
    listed = _command("matches", "duplicates", DATABASE_URL=clean)
    assert listed.returncode == 0, listed.stderr
    assert "101201" in listed.stdout
    assert "matches merge" in listed.stdout
    _command("matches", "merge", "1", "3", "--reason", "same", DATABASE_URL=clean)
    _command("matches", "merge", "2", "3", "--reason", "same", DATABASE_URL=clean)
    listed = _command("matches", "duplicates", DATABASE_URL=clean)
    assert listed.stdout == "no match may be another one\n"


@pytest.mark.parametrize(("keep", "other"), [(1, 1), (1, 9), (1, 2)])
def test_what_cannot_be_one_match_is_not_joined(
    connection: psycopg.Connection, keep: int, other: int
) -> None:
    submit(connection, message("a"), message("b", external_match_id="7", age_group="U15"))
    with pytest.raises(OperationError):
        operations.join(connection, keep, other, "by mistake")
    assert len(shown(connection)) == 2


def test_a_frozen_match_is_freed_by_an_operator(clean: str, connection: psycopg.Connection) -> None:
    """As it was frozen before times in the future were refused."""
    submit(connection, message("a", **RESULT))
    connection.execute("UPDATE matches SET observed_at = '9999-01-01Z', message_id = 'z'")
    assert effects(connection, message("b", minute=1, home_score=2, away_score=3)) == [Effect.STALE]
    done = _command("matches", "unfreeze", "1", "--reason", "clock", DATABASE_URL=clean)
    assert done.returncode == 0, done.stderr
    assert shown(connection) == [("101201", "NEFC", 1, 0)]
    with pytest.raises(OperationError, match="not frozen"):
        operations.unfreeze(connection, 1, "again", RECEIVED.replace(year=9999))
    assert connection.execute("SELECT action FROM interventions").fetchall() == [("unfreeze",)]
    (now,) = connection.execute("SELECT clock_timestamp()").fetchone() or (RECEIVED,)
    newer = message("c", home_score=2, away_score=3, observed_at=now.isoformat())
    (outcome,) = store.submit(connection, [newer], received_at=now)
    assert outcome.effect is Effect.UPDATED
