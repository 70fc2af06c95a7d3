"""A worker with one defect, which the variable WEAKENED names; see `DEFECTS`."""

from __future__ import annotations

import itertools
import os
import shutil
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pika

from system.contract import envelope as wire
from system.contract.reasons import Reason
from system.contract.submission import Effect, Outcome
from system.contract.topology import PROCESS_QUEUE, WORK_QUEUES
from system.errors import ContractViolation, Unavailable
from system.settings import WorkerSettings, load
from system.tests.weakened import replaced, run_given
from system.worker import aside, gathering, handling, retry, sinks

_EVERY = 20
_STUBBORN = 3
"""Attempts, before what is wrong for ever is given up."""
_numbers = itertools.count(1)


def _swallow() -> None:
    """What fails is acknowledged, and nothing of it is published."""
    replaced(handling.Handler, "put_aside", lambda *_: None)


def _forget_retries() -> None:
    """What should be tried again is acknowledged; what is wrong for ever is dead-lettered."""
    carry_out = handling.Handler._carry_out

    def weakened(self: Any, decision: Any, incoming: Any) -> None:
        if isinstance(decision, retry.GiveUp):
            carry_out(self, decision, incoming)

    replaced(handling.Handler, "_carry_out", weakened)


def _give_up() -> None:
    """What is away for a moment is taken for gone for ever."""

    def weakened(decide: Any, error: Any, attempt: int, *more: Any) -> Any:
        if isinstance(error, Unavailable):
            return retry.GiveUp(Reason.EXHAUSTED, str(error))
        return decide(error, attempt, *more)

    _decide(weakened)


def _hurry() -> None:
    """Every retry comes at once."""

    def weakened(decide: Any, error: Any, attempt: int, *more: Any) -> Any:
        decision = decide(error, 1, *more)
        return replace(decision, wait_ms=1) if isinstance(decision, retry.RetryIn) else decision

    _decide(weakened)


def _persist() -> None:
    """What breaks the contract is tried again, in the hope that it no longer does."""

    def weakened(decide: Any, error: Any, attempt: int, *more: Any) -> Any:
        if isinstance(error, ContractViolation) and attempt < _STUBBORN:
            return retry.RetryIn(1, 100)
        return decide(error, attempt, *more)

    _decide(weakened)


def _rename() -> None:
    """A retry is a new message, with an id of its own."""
    rebuild = handling.rebuild_envelope

    def weakened(incoming: Any) -> Any:
        return rebuild(replace(incoming, message_id=wire.new_message_id()))

    replaced(handling, "rebuild_envelope", weakened)


def _say_nothing() -> None:
    """A dead letter has no reason."""

    def weakened(headers: Any, **given: Any) -> Any:
        dead = wire.dead_headers(headers, **given)
        return {**dead, wire.DEAD_REASON: "", wire.DEAD_DETAIL: ""}

    replaced(handling, "wire", _With(wire, dead_headers=weakened))
    replaced(aside, "dead_headers", weakened)


def _drop_some() -> None:
    """One match in twenty is acknowledged, and nobody looks at it."""
    take = gathering.Gatherer.take

    def weakened(self: Any, message: Any, admitted: Any) -> None:
        if next(_numbers) % _EVERY == 0:
            message.ack_log_error(gathering.log, self.errors)
        else:
            take(self, message, admitted)

    replaced(gathering.Gatherer, "take", weakened)


def _hold_all() -> None:
    """It takes from the broker all that there is."""
    from system.worker import app

    replaced(app, "queue_prefetch", lambda settings: dict.fromkeys(WORK_QUEUES, 0))


def _begin_anew() -> None:
    """It empties its queue when it starts, as if what waits there were of no use."""
    url = load(WorkerSettings).broker_url.get_secret_value()
    connection = pika.BlockingConnection(pika.URLParameters(url))
    connection.channel().queue_purge(PROCESS_QUEUE)
    connection.close()


def _turn_scores() -> None:
    """The guests' goals are stored for the hosts."""
    submission = handling.Handler.submission

    def weakened(self: Any, incoming: Any) -> Any:
        given = submission(self, incoming)
        scores = {
            "home_score": given.match.get("away_score"),
            "away_score": given.match.get("home_score"),
        }
        turned = {**given.match, **{k: v for k, v in scores.items() if v is not None}}
        return given.model_copy(update={"match": turned})

    replaced(handling.Handler, "submission", weakened)


def _believe() -> None:
    """What the API did not answer counts as done."""
    apply = sinks.ApiSink.apply

    def weakened(self: Any, submissions: Any) -> Any:
        try:
            return apply(self, submissions)
        except Unavailable:
            return [
                Outcome(message_id=each.message_id, effect=Effect.UNCHANGED) for each in submissions
            ]

    replaced(sinks.ApiSink, "apply", weakened)


def _forget_counts() -> None:
    """It counts from nothing whenever it starts."""
    shutil.rmtree(os.environ["MISSING_TABLE_METRICS_FOLDER"], ignore_errors=True)


class _With:
    """A module with some of its names replaced."""

    def __init__(self, module: Any, **names: Any) -> None:
        self.__dict__.update({**vars(module), **names})


def _decide(weakened: Callable[..., Any]) -> None:
    decide = retry.decide
    replaced(retry, "decide", lambda error, attempt, *more: weakened(decide, error, attempt, *more))


DEFECTS: dict[str, Callable[[], None]] = {
    "swallows": _swallow,
    "forgets-retries": _forget_retries,
    "gives-up": _give_up,
    "hurries": _hurry,
    "persists": _persist,
    "renames": _rename,
    "says-nothing": _say_nothing,
    "drops-some": _drop_some,
    "holds-all": _hold_all,
    "begins-anew": _begin_anew,
    "turns-scores": _turn_scores,
    "believes": _believe,
    "forgets-counts": _forget_counts,
}

if __name__ == "__main__":
    DEFECTS[os.environ["WEAKENED"]]()
    run_given()
