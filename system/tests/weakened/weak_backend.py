"""A backend with one defect, which the variable WEAKENED names; see `DEFECTS`.

It can die where DIE_FILE says, as `dying_backend` does.
"""

from __future__ import annotations

import itertools
import os
import time
from collections.abc import Callable
from contextlib import nullcontext
from datetime import UTC, datetime
from datetime import time as clock
from typing import Any

from system.backend import merge, store, transaction
from system.backend.database import Database
from system.contract import match
from system.contract.submission import Effect, Outcome
from system.metrics import effects
from system.tests.weakened import dying_backend, early_count, receipt, replaced, run_given

_EVERY = 20
_LATE_S = 0.5
_numbers = itertools.count(1)


def _split() -> None:
    """The change is committed first, and its receipt later."""
    replaced(transaction, "by_keys", lambda _connection: nullcontext())


def _store_some() -> None:
    """One message in twenty is answered as if it were stored."""
    submit = store.submit

    def weakened(connection: Any, submissions: Any, **given: Any) -> list[Outcome]:
        left = {at for at in range(len(submissions)) if next(_numbers) % _EVERY == 0}
        kept = [each for at, each in enumerate(submissions) if at not in left]
        outcomes = iter(submit(connection, kept, **given))
        return [
            Outcome(message_id=each.message_id, effect=Effect.UNCHANGED)
            if at in left
            else next(outcomes)
            for at, each in enumerate(submissions)
        ]

    replaced(store, "submit", weakened)


def _lesser_id_wins() -> None:
    """Of two observations of one time the one with the lesser id wins."""

    def weakened(candidate: Any, current: Any) -> bool:
        if candidate[:2] == current[:2]:
            return bool(candidate[2] < current[2])
        return bool(candidate > current)

    replaced(merge, "outranks", weakened)


def _first_wins() -> None:
    """What is stored is never changed."""
    replaced(merge, "outranks", lambda candidate, current: False)


def _no_rules_across() -> None:
    """Rules that concern several fields are not looked at."""
    replaced(match, "_broken_across", lambda _match: [])


def _naive_time() -> None:
    """A kickoff in US Eastern is stored as if it were in UTC."""

    def weakened(row: Any) -> Any:
        at, day = row.shown["match_time"], row.shown["match_date"]
        if at is None:
            return None
        return datetime.combine(day, clock.fromisoformat(at), UTC)

    replaced(merge.Row, "kickoff", property(weakened))


def _count_twice() -> None:
    """Each effect is counted twice."""
    applied = effects.EffectMetrics.applied

    def weakened(self: Any, *given: Any) -> None:
        given = tuple(list(each) if at < 2 else each for at, each in enumerate(given))
        applied(self, *given)
        applied(self, *given)

    replaced(effects.EffectMetrics, "applied", weakened)


def _milliseconds() -> None:
    """A histogram of seconds is given milliseconds."""

    def weakened(self: Any, end: Any, way: Any, *since: Any) -> None:
        now = datetime.now(UTC)
        took = [1000 * max(0.0, (now - each).total_seconds()) for each in since]
        self._seconds.labels(end, way).observe_many(took)

    replaced(effects.LatencyMetric, "ended", weakened)


def _count_early() -> None:
    """Effects are counted before they are committed, and the commit takes its time."""
    run = early_count._run

    def weakened(self: Any, operation: str, work: Any) -> Any:
        def all_of_it(connection: Any) -> Any:
            with connection.transaction():
                done = work(connection)
                if operation == "apply":
                    time.sleep(_LATE_S)
                return done

        return run(self, operation, all_of_it)

    replaced(Database, "_run", weakened)
    replaced(transaction, "by_keys", lambda connection: connection.transaction())


def _delete_receipts() -> None:
    """Someone thought that receipts are only needed for a moment."""
    submit = store.submit

    def weakened(connection: Any, submissions: Any, **given: Any) -> list[Outcome]:
        if next(_numbers) % _EVERY == 0:
            connection.execute(
                "DELETE FROM receipts WHERE message_id IN"
                " (SELECT message_id FROM receipts ORDER BY committed_at LIMIT 1)"
            )
        return submit(connection, submissions, **given)

    replaced(store, "submit", weakened)


DEFECTS: dict[str, Callable[[], None]] = {
    "receipt": receipt.weaken,
    "splits": _split,
    "stores-some": _store_some,
    "lesser-id-wins": _lesser_id_wins,
    "first-wins": _first_wins,
    "no-rules-across": _no_rules_across,
    "naive-time": _naive_time,
    "counts-twice": _count_twice,
    "milliseconds": _milliseconds,
    "counts-early": _count_early,
    "deletes-receipts": _delete_receipts,
}

if __name__ == "__main__":
    DEFECTS[os.environ["WEAKENED"]]()
    if "DIE_FILE" in os.environ:
        dying_backend.arm()
    run_given()
