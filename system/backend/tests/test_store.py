"""One writer: idempotency, newest wins, batches, and the database's own constraints."""

from __future__ import annotations

import itertools
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import errors

from system.backend import merge, statements, store, transaction
from system.backend.tests.messages import EVENING, MATCH, effects, message, score, submit
from system.contract.submission import Effect, Submission

CREATED, UPDATED, UNCHANGED = Effect.CREATED, Effect.UPDATED, Effect.UNCHANGED
STALE, DUPLICATE, INVALID = Effect.STALE, Effect.DUPLICATE, Effect.INVALID

pytestmark = pytest.mark.services


def test_each_effect_is_told_apart(connection: psycopg.Connection) -> None:
    assert effects(connection, message("a")) == [CREATED]
    assert effects(connection, message("b", minute=1)) == [UNCHANGED]
    assert effects(connection, message("c", minute=2, home_score=1, away_score=2)) == [UPDATED]
    assert effects(connection, message("d", minute=1, home_score=9, away_score=9)) == [STALE]
    assert effects(connection, message("a", minute=9, home_score=7, away_score=7)) == [DUPLICATE]
    assert effects(connection, message("e", home_score=-1)) == [INVALID]
    assert score(connection) == (1, 2)


def test_every_outcome_but_invalid_names_the_match(connection: psycopg.Connection) -> None:
    submit(connection, message("new", minute=5))
    batch = [message("new"), message("old"), message("newer", minute=6), message("x", league="?")]
    assert [each.match_id for each in submit(connection, *batch)] == [1, 1, 1, None]


def test_a_message_takes_effect_once_however_often_it_comes(
    connection: psycopg.Connection,
) -> None:
    for _ in range(3):
        submit(connection, message("a"), message("b", external_match_id="2"), message("a"))
    assert connection.execute("SELECT message_id, effect FROM receipts ORDER BY 1").fetchall() == [
        ("a", "created"),
        ("b", "created"),
    ]


def test_a_message_whose_age_is_its_arrival_is_not_applied_again_when_it_comes_again(
    connection: psycopg.Connection,
) -> None:
    """Newest wins does not cover this: each arrival is later than the one before."""
    first = message("a", observed_at=None, home_score=1, away_score=0)
    second = message("b", observed_at=None, home_score=2, away_score=0)
    for each in (first, second, first):
        store.submit(connection, [each], received_at=EVENING)
    assert score(connection) == (2, 0)


def test_a_duplicate_in_a_batch_leaves_the_rest_of_the_batch_alone(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("a"))
    others = [message(f"n{n}", external_match_id=f"n{n}") for n in range(5)]
    assert effects(connection, *others[:3], message("a"), *others[3:]) == (
        [CREATED] * 3 + [DUPLICATE] + [CREATED] * 2
    )


def test_a_duplicate_inside_one_batch_is_told(connection: psycopg.Connection) -> None:
    assert effects(connection, message("a"), message("a"), message("a")) == [
        CREATED,
        DUPLICATE,
        DUPLICATE,
    ]


def test_messages_of_one_match_in_a_batch_work_one_after_another(
    connection: psycopg.Connection,
) -> None:
    batch = [
        message("a", minute=3, home_score=0, away_score=0),
        message("b", minute=1, home_score=5, away_score=5),
        message("other", external_match_id="2"),
        message("c", minute=4, home_score=1, away_score=0),
        message("d", minute=5, home_score=1, away_score=0),
    ]
    assert effects(connection, *batch) == [CREATED, STALE, CREATED, UPDATED, UNCHANGED]
    assert score(connection) == (1, 0)


def test_at_the_same_time_the_greater_message_id_wins_in_any_order(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("Z", home_score=1, away_score=1))
    submit(connection, message("a", home_score=2, away_score=2))
    submit(connection, message("B", home_score=3, away_score=3))
    assert score(connection) == (2, 2)  # byte by byte: B < Z < a


def test_a_newer_observation_replaces_what_it_says_anything_about(
    connection: psycopg.Connection,
) -> None:
    submit(connection, message("a", home_score=1, away_score=1, location="Field 3", notes="x"))
    submit(connection, message("b", minute=1, match_status="postponed", match_date="2026-03-01"))
    row = connection.execute(
        "SELECT status, home_score, location, notes, match_date::text, kickoff::text FROM matches"
    ).fetchone()
    assert row == ("postponed", None, "Field 3", "x", "2026-03-01", "2026-03-01 15:00:00+00")


def test_a_match_whose_teams_swap_stays_one_match(connection: psycopg.Connection) -> None:
    submit(connection, message("a"))
    swapped = message("b", minute=1, home_team="Bayside FC", away_team="NEFC")
    assert effects(connection, swapped) == [UPDATED]
    assert connection.execute("SELECT count(*) FROM matches").fetchone() == (1,)
    assert connection.execute("SELECT count(*) FROM teams").fetchone() == (2,)


def test_a_team_is_its_name_within_league_and_age_group_in_whatever_division(
    connection: psycopg.Connection,
) -> None:
    variants: list[dict[str, Any]] = [
        {},
        {"age_group": "U15"},
        {"league": None},
        {"division": None},
        {"league": None, "division": None},
        {"league": "Academy"},
    ]
    for n, fields in enumerate([*variants, *variants]):
        submit(connection, message(f"m{n}", external_match_id=f"x{n}", **fields))
    assert connection.execute("SELECT count(*) FROM teams").fetchone() == (2 * 4,)


def test_both_spellings_of_a_season_are_one_season(connection: psycopg.Connection) -> None:
    submit(connection, message("a", external_match_id=None))
    assert effects(
        connection, message("b", minute=1, external_match_id=None, season="2025-2026")
    ) == [UNCHANGED]


def test_nothing_is_kept_where_the_receipt_cannot_be_written(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = statements.INSERT_RECEIPTS.replace("receipts (", "no_such_table (")
    with monkeypatch.context() as patch:
        patch.setattr(statements, "INSERT_RECEIPTS", broken)
        with pytest.raises(errors.UndefinedTable):
            submit(connection, message("a"))
    assert score(connection) is None
    assert effects(connection, message("a")) == [CREATED]


def test_nothing_stays_in_an_open_transaction(clean: str, connection: psycopg.Connection) -> None:
    for _ in range(2):  # the second one is a duplicate
        effects(connection, message("a"))
        assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    with psycopg.connect(clean) as other:
        assert other.execute("SELECT count(*) FROM receipts").fetchone() == (1,)


def test_a_connection_that_opens_transactions_by_itself_is_refused(clean: str) -> None:
    """It would keep one open after a look at receipts."""
    with psycopg.connect(clean) as other, pytest.raises(ValueError, match="autocommit"):
        submit(other, message("a"))


def test_the_isolation_does_not_depend_on_the_default(connection: psycopg.Connection) -> None:
    connection.execute("SET default_transaction_isolation TO serializable")
    with transaction.by_keys(connection):
        assert connection.execute("SHOW transaction_isolation").fetchone() == ("read committed",)
        assert connection.execute("SHOW enable_seqscan").fetchone() == ("off",)
    assert connection.execute("SHOW enable_seqscan").fetchone() == ("on",)


def test_a_transaction_is_undone_if_its_block_raises(connection: psycopg.Connection) -> None:
    with pytest.raises(errors.CheckViolation), transaction.by_keys(connection):
        _put_team_and_fail(connection)
    assert connection.info.transaction_status == psycopg.pq.TransactionStatus.IDLE
    assert connection.execute("SELECT count(*) FROM teams").fetchone() == (0,)


def test_what_was_raised_is_told_also_if_the_connection_is_lost(clean: str) -> None:
    with (
        psycopg.connect(clean, autocommit=True) as other,
        pytest.raises(ZeroDivisionError),
        transaction.by_keys(other),
    ):
        _lose_and_fail(other)


def _put_team_and_fail(connection: psycopg.Connection) -> None:
    connection.execute("INSERT INTO teams (key, age_group, name) VALUES ('a', 'U13', 'A')")
    raise errors.CheckViolation


def _lose_and_fail(connection: psycopg.Connection) -> None:
    connection.close()
    raise ZeroDivisionError


def test_newest_wins_and_one_effect_can_be_switched_off_for_an_experiment(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seams that negative controls use; without them the laws are really broken."""
    monkeypatch.setattr(merge, "outranks", lambda candidate, current: True)
    submit(connection, message("new", minute=9, home_score=1, away_score=1))
    submit(connection, message("old", home_score=0, away_score=0))
    assert score(connection) == (0, 0)
    monkeypatch.setattr(transaction, "by_keys", lambda inner: inner.transaction())
    with connection.transaction(force_rollback=True):
        connection.execute("ALTER TABLE receipts DROP CONSTRAINT receipts_message")
        assert effects(
            connection, message("old", home_score=5, away_score=5), message("x", minute=1)
        ) == [UPDATED, UNCHANGED]
        found = connection.execute("SELECT count(*) FROM receipts WHERE message_id = 'old'")
        assert found.fetchone() == (2,)


@pytest.mark.parametrize(
    ("change", "constraint"),
    [
        ("home_score = -1, away_score = 0", "matches_scores_not_negative"),
        ("home_score = 1, away_score = NULL", "matches_scores_both_or_neither"),
        ("status = 'completed'", "matches_over_has_scores"),
        ("status = 'lost'", "matches_status_known"),
        ("away_team_id = home_team_id", "matches_two_teams"),
        ("identity = '2'", "matches_identity"),
    ],
)
def test_the_database_refuses_what_can_never_be(
    connection: psycopg.Connection, change: str, constraint: str
) -> None:
    submit(connection, message("a"), message("b", external_match_id="2"))
    with pytest.raises(errors.IntegrityError) as caught:
        connection.execute(f"UPDATE matches SET {change} WHERE identity = '101201'")  # noqa: S608
    assert caught.value.diag.constraint_name == constraint


_OBSERVATION = st.tuples(
    st.sampled_from(["1", "2"]),  # which match
    st.integers(0, 3),  # minute: often the same
    st.sampled_from([None, 0, 1]),  # score
    st.sampled_from(["Field 1", None]),
)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.lists(_OBSERVATION, min_size=1, max_size=6), st.randoms(use_true_random=False), st.data())
def test_any_order_and_any_batching_end_in_the_same_state(
    clean: str, observations: list[tuple[Any, ...]], shuffle: Any, data: st.DataObject
) -> None:
    messages = [
        message(
            f"m{n}",
            minute=minute,
            external_match_id=identity,
            home_score=goals,
            away_score=goals,
            location=location,
        )
        for n, (identity, minute, goals, location) in enumerate(observations)
    ]
    newest = {
        identity: max(
            (minute, f"m{n}") for n, (i, minute, *_) in enumerate(observations) if i == identity
        )
        for identity, *_ in observations
    }
    with psycopg.connect(clean, autocommit=True) as connection:
        states = []
        for _ in range(2):
            connection.execute("TRUNCATE receipts, matches, teams CASCADE")
            order = [*messages, *data.draw(st.lists(st.sampled_from(messages), max_size=3))]
            shuffle.shuffle(order)
            while order:
                size = data.draw(st.integers(1, len(order)))
                submit(connection, *order[:size])
                del order[:size]
            states.append(
                connection.execute(
                    "SELECT identity, observed_at, message_id, status, home_score, location"
                    " FROM matches ORDER BY 1"
                ).fetchall()
            )
        receipts = connection.execute("SELECT message_id FROM receipts ORDER BY 1").fetchall()
    assert states[0] == states[1]
    assert {row[0]: row[2] for row in states[0]} == {i: last for i, (_, last) in newest.items()}
    assert receipts == [(each.message_id,) for each in messages]


def test_the_fields_of_a_match_are_kept_as_they_came(connection: psycopg.Connection) -> None:
    submit(connection, message("a", division_id=41, source="match-scraper", location="Füßen ⚽"))
    row = connection.execute(
        "SELECT division_id, source, location, season, match_time::text, status FROM matches"
    ).fetchone()
    assert row == (41, "match-scraper", "Füßen ⚽", MATCH["season"], "10:00:00", "scheduled")


def test_no_table_is_read_whole_even_while_it_is_small(connection: psycopg.Connection) -> None:
    """A plan that is made then is kept, and would read more and more as the table grows."""
    tables = ["identities", "matches", "receipts", "teams"]

    def read_whole() -> Any:
        connection.execute("SELECT pg_stat_force_next_flush()")
        return connection.execute(
            "SELECT relname, seq_scan FROM pg_stat_user_tables WHERE relname = ANY(%s) ORDER BY 1",
            [tables],
        ).fetchall()

    before = read_whole()
    assert [name for name, _ in before] == tables
    for turn in range(4):
        for batch in range(4):
            clubs = [f"Club-{batch}-{number}" for number in range(8)]
            submit(
                connection,
                *(
                    message(f"{turn}-{club}", minute=turn, external_match_id=club, home_team=club)
                    for club in clubs
                ),
            )
    assert read_whole() == before


def test_a_batch_takes_few_turns_to_the_server(
    connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each costs both sides some work, however little it asks; see decision 37."""
    turns = 0

    def counted(name: str) -> Any:
        plain = getattr(psycopg.Cursor if name == "execute" else psycopg.Connection, name)

        def once_more(*given: Any, **named: Any) -> Any:
            nonlocal turns
            turns += 1
            return plain(*given, **named)

        return once_more

    def taken(prefix: str, *, minute: int) -> int:
        nonlocal turns
        turns = 0
        submit(connection, *of_clubs(prefix, minute=minute))
        return turns

    def of_clubs(prefix: str, minute: int, day: str = "2025-10-18") -> list[Submission]:
        named: dict[str, Any] = {"match_date": day, "minute": minute}
        return [
            message(f"{prefix}-{n}", home_team=f"Club {n}", external_match_id=f"{day} {n}", **named)
            for n in range(20)
        ]

    submit(connection, *of_clubs("before", minute=0, day="2025-10-11"))  # so the clubs are known
    monkeypatch.setattr(psycopg.Cursor, "execute", counted("execute"))
    monkeypatch.setattr(psycopg.Connection, "commit", counted("commit"))
    assert taken("new", minute=1) == 8
    assert taken("known", minute=2) == 5


def test_a_match_costs_no_more_the_more_there_are(connection: psycopg.Connection) -> None:
    """Even if the tables were analysed as early as PostgreSQL does so by itself: it keeps plans."""
    numbers = itertools.count()

    def store_new(count: int) -> None:
        for _ in range(0, count, 64):
            submit(connection, *map(_of_many, itertools.islice(numbers, 64)))

    def reads() -> dict[str, int]:
        before = _rows_read(connection)
        store_new(64)
        return {name: read - before[name] for name, read in _rows_read(connection).items()}

    store_new(_analysed_from(connection))
    connection.execute("ANALYZE")
    store_new(12 * 64)  # now each statement has the plan that it keeps
    early = reads()
    store_new(40 * 64)
    assert {name: read for name, read in reads().items() if read > 1.5 * early[name] + 64} == {}


def _of_many(number: int) -> Submission:
    """The first message about a match; a club has some thirty of them."""
    return message(
        f"first-of-{number}",
        external_match_id=str(number),
        home_team=f"Club {number // 30}",
        away_team=f"Other {number // 30}",
        match_date=f"2025-10-{1 + number % 30:02}",
        match_time=None,
    )


def _rows_read(connection: psycopg.Connection) -> dict[str, int]:
    """How many rows of each table, and entries of each index, have ever been read."""
    connection.execute("SELECT pg_stat_force_next_flush()")
    return dict(
        connection.execute(
            "SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables"
            " UNION ALL SELECT indexrelname, idx_tup_read FROM pg_stat_user_indexes"
        ).fetchall()
    )


def _analysed_from(connection: psycopg.Connection) -> int:
    """From how many rows on autovacuum looks at one of the tables that a match is written to."""
    found = connection.execute(
        "SELECT min(coalesce(o.option_value, s.setting)::integer) FROM pg_class c"
        " CROSS JOIN pg_settings s"
        " LEFT JOIN pg_options_to_table(c.reloptions) o ON o.option_name = s.name"
        " WHERE s.name IN ('autovacuum_analyze_threshold', 'autovacuum_vacuum_threshold')"
        " AND c.relname IN ('identities', 'matches', 'receipts', 'teams')"
    ).fetchone()
    assert found is not None
    return int(found[0])


@pytest.mark.parametrize(
    "text", ['"quoted"', "back\\slash", "a, {b}", "NULL", "null", "line\nline", "Ünïcödé 🏟", "'"]
)
def test_text_is_stored_as_it_is(connection: psycopg.Connection, text: str) -> None:
    submit(connection, message("m", location=text, notes=f"{text}, {text}"))
    assert connection.execute("SELECT location, notes FROM matches").fetchone() == (
        text,
        f"{text}, {text}",
    )
