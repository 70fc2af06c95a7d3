"""Many writers at once: the end state is the newest, every receipt is there once, nobody fails."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import psycopg
import pytest

from system.backend.tests.messages import message, submit
from system.contract.submission import BATCH_MAX, Effect, Outcome, Submission

pytestmark = pytest.mark.services
WRITERS = 8


def _write_at_once(url: str, parts: Sequence[Sequence[Sequence[Submission]]]) -> list[Outcome]:
    """Each part is the batches of one writer; all begin together."""
    start = Barrier(len(parts))

    def write(batches: Sequence[Sequence[Submission]]) -> list[Outcome]:
        with psycopg.connect(url, autocommit=True) as connection:
            start.wait()
            return [outcome for batch in batches for outcome in submit(connection, *batch)]

    with ThreadPoolExecutor(len(parts)) as pool:
        return [outcome for done in pool.map(write, parts) for outcome in done]


@pytest.mark.parametrize("batch_size", [1, 7])
def test_the_newest_wins_among_writers_in_any_order(
    clean: str, connection: psycopg.Connection, batch_size: int
) -> None:
    """Every writer brings every message, in an order of its own: all of them meet everywhere."""
    messages = [
        message(
            f"match{m}-{n:02}",
            minute=n // 2,  # each minute twice, so that message ids decide too
            external_match_id=f"match{m}",
            home_score=n,
            away_score=m,
        )
        for m in range(4)
        for n in range(20)
    ]
    parts = []
    for writer in range(WRITERS):
        order = random.Random(writer).sample(messages, len(messages))
        parts.append([order[i : i + batch_size] for i in range(0, len(order), batch_size)])
    outcomes = _write_at_once(clean, parts)

    rows = connection.execute("SELECT identity, home_score FROM matches ORDER BY 1").fetchall()
    assert rows == [(f"match{m}", 19) for m in range(4)]
    effects = Counter(outcome.effect for outcome in outcomes)
    assert effects[Effect.CREATED] == 4
    assert effects[Effect.DUPLICATE] == len(messages) * (WRITERS - 1)
    took = {o.message_id for o in outcomes if o.effect is not Effect.DUPLICATE}
    receipts = connection.execute("SELECT message_id, effect FROM receipts").fetchall()
    assert len(receipts) == len(messages)
    assert {message_id for message_id, _ in receipts} == took


def test_new_teams_are_created_once_however_many_writers_meet_them(
    clean: str, connection: psycopg.Connection
) -> None:
    names = [f"Team {n}" for n in range(12)]
    parts = []
    for writer in range(WRITERS):
        pairs = [tuple(random.Random(f"{writer}{n}").sample(names, 2)) for n in range(20)]
        parts.append(
            [
                [
                    message(
                        f"{writer}-{n}-{side}",
                        external_match_id=f"{writer}-{n}-{side}",
                        home_team=home,
                        away_team=away,
                        league=None if n % 2 else "Academy",
                    )
                    for side in range(2)
                ]
                for n, (home, away) in enumerate(pairs)
            ]
        )
    outcomes = _write_at_once(clean, parts)
    assert {outcome.effect for outcome in outcomes} == {Effect.CREATED}
    rows = connection.execute(
        "SELECT name, coalesce(league, ''), count(*) FROM teams GROUP BY 1, 2"
    ).fetchall()
    assert all(count == 1 for *_, count in rows)
    assert {name for name, *_ in rows} == set(names)


def test_a_message_delivered_to_two_workers_at_once_takes_effect_once(
    clean: str, connection: psycopg.Connection
) -> None:
    for n in range(20):
        one = [[message(f"m{n}", external_match_id=str(n), observed_at=None)]]
        outcomes = _write_at_once(clean, [one, one, one])
        assert sorted(outcome.effect for outcome in outcomes) == ["created"] + ["duplicate"] * 2
    assert connection.execute("SELECT count(*) FROM receipts").fetchone() == (20,)


def test_matches_that_move_and_lose_their_number_are_one_each_among_many_writers(
    clean: str, connection: psycopg.Connection
) -> None:
    """Every writer brings every message; the keys of a match become known in different places."""
    days = ["2025-10-18", "2025-10-19", "2025-10-25", "2025-10-26"]
    messages = [
        message(
            f"{m}-{n}-{number}",
            minute=2 * n + bool(number),
            external_match_id=number,
            home_team=f"Team {m}",
            match_date=day,
        )
        for m in range(4)
        for n, day in enumerate(days)
        for number in ([None, f"match{m}"] if n else [f"match{m}"])
    ]
    parts = []
    for writer in range(WRITERS):
        order = random.Random(writer).sample(messages, len(messages))
        parts.append([order[i : i + 5] for i in range(0, len(order), 5)])
    _write_at_once(clean, parts)
    rows = connection.execute(
        "SELECT external_match_id, match_date::text FROM matches WHERE merged_into IS NULL"
        " AND external_match_id IS NOT NULL ORDER BY 1"
    ).fetchall()
    assert rows == [(f"match{m}", days[-1]) for m in range(4)]
    at_home = connection.execute(
        "SELECT count(*) FROM matches WHERE merged_into IS NULL AND match_date = %s", [days[-1]]
    ).fetchone()
    assert at_home == (4,)


def test_many_large_requests_at_once_do_not_use_up_the_locks_of_the_server(
    clean: str, connection: psycopg.Connection
) -> None:
    """Each new match takes two; together they would need three times the room for them."""
    parts = [
        [
            [
                message(
                    f"{writer}-{n}",
                    external_match_id=f"{writer}-{n}",
                    home_team=f"Home {n % 60}",
                    away_team=f"Away {writer}-{n // 60}",
                )
                for n in range(BATCH_MAX)
            ]
        ]
        for writer in range(24)
    ]
    outcomes = _write_at_once(clean, parts)
    assert {outcome.effect for outcome in outcomes} == {Effect.CREATED}
    found = connection.execute("SELECT count(*) FROM receipts").fetchone()
    assert found == (len(parts) * BATCH_MAX,)
