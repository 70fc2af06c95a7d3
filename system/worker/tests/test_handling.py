"""What becomes of a message: it takes effect, waits for a retry, or is dead-lettered.

The sink and the publisher are stand-ins that write down what they are given; `test_outages` and
`test_batches` do the same with the real ones.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from structlog.testing import capture_logs

from system.contract import envelope
from system.contract.envelope import PROCESS_TASK, Envelope
from system.contract.reasons import Reason
from system.contract.submission import Effect, Outcome, Submission, Way
from system.contract.tests.samples import OURS
from system.contract.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    PROCESS_QUEUE,
    RETRY_DELAYS_S,
    RETRY_EXCHANGE,
    retry_queue,
)
from system.errors import (
    ApiUnavailable,
    BrokerUnavailable,
    ContractViolation,
    Refused,
    Violation,
    abbreviate,
)
from system.messaging.batch import PublishOutcome, PublishResult
from system.messaging.publisher import Publisher
from system.metrics.definitions import MetricFactory
from system.settings import SinkKind
from system.telemetry import EACH
from system.worker import batch
from system.worker.brake import Tally
from system.worker.handling import Handler, Incoming, match_argument, rebuild_envelope
from system.worker.metrics import WorkerMetrics
from system.worker.retry import Policy, RetryIn
from system.worker.streak import Streak

AT = datetime(2025, 10, 19, tzinfo=UTC)
CAME = Incoming("m-1", (OURS,), {}, AT, 3, 2, "3.0")
SOON = timedelta(minutes=1)


class Store:
    """A sink that raises what it is told, else answers that all took effect."""

    def __init__(self, *errors: Exception, effect: Effect = Effect.CREATED) -> None:
        self.given: list[Submission] = []
        self.errors, self.effect = list(errors), effect

    def apply(self, submissions: Sequence[Submission]) -> list[Outcome]:
        """Write them down, and answer."""
        self.given += submissions
        if self.errors:
            raise self.errors.pop()
        broken = [{"field": "home_score", "value": "-1", "rule": "must not be negative"}]
        return [
            Outcome(
                message_id=each.message_id,
                effect=self.effect,
                match_id=7,
                violations=broken if self.effect is Effect.INVALID else [],
            )
            for each in submissions
        ]

    def probe(self) -> None:
        """Is not asked here."""
        raise NotImplementedError


class Wire:
    """A publisher whose broker answers as it is told."""

    def __init__(self, outcome: PublishOutcome = PublishOutcome.CONFIRMED) -> None:
        self.sent: list[tuple[Envelope, str, str, float, int | None]] = []
        self.outcome = outcome

    def publish(
        self,
        envelopes: Sequence[Envelope],
        *,
        exchange: str,
        key: str,
        within_s: float,
        expiration_ms: int | None = None,
    ) -> list[PublishResult]:
        """Write them down, and answer."""
        self.sent += [(each, exchange, key, within_s, expiration_ms) for each in envelopes]
        return [PublishResult(each.message_id, self.outcome, "why not") for each in envelopes]


class Bench:
    """A handler, what it is connected to, and what it counts."""

    def __init__(self, store: Store, wire: Wire | None = None, log_every: int = 1) -> None:
        self.store, self.wire, self.streak = store, wire or Wire(), Streak(5)
        self.factory = MetricFactory()
        self.handler = Handler(
            sink=store,
            publisher=cast(Publisher, self.wire),
            policy=Policy(jitter=0.0),
            where="worker-1@here",
            rng=random.Random(7),
            metrics=WorkerMetrics(self.factory, SinkKind.API),
            streak=self.streak,
            log_every=log_every,
        )

    def counted(self, name: str, **labels: str) -> float | None:
        """The value of a series; None if there is none."""
        return self.factory.registry.get_sample_value(f"missing_table_{name}", labels)

    def handle(self, incoming: Incoming = CAME) -> list[dict[str, Any]]:
        """Handle a message; what was logged, without what is of no interest."""
        with capture_logs() as lines:
            self.handler.handle(incoming)
        return flat(lines)

    def handle_together(self, *incomings: Incoming) -> list[dict[str, Any]]:
        """Handle a batch, all of which is settled; what was logged."""
        with capture_logs() as lines:
            assert set(batch.handle(self.handler, incomings)) == {batch.Fate.SETTLED}
        return flat(lines)


def flat(events: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The lines that events become."""
    return [
        {**fields, **{k: v for k, v in event.items() if k not in ("log_level", EACH)}}
        for event in events
        for fields in event.get(EACH, [{}])
    ]


def test_what_the_sink_is_given_is_the_match_as_it_came() -> None:
    bench = Bench(Store())
    bench.handle()
    (given,) = bench.store.given
    assert given == Submission(
        message_id="m-1", match=OURS, published_at=AT, way=Way.QUEUE, attempt=3
    )
    assert bench.counted("sink_seconds_count", sink="api") == 1


def test_a_match_that_took_effect_is_counted_and_told() -> None:
    bench = Bench(Store(effect=Effect.UPDATED))
    assert bench.handle() == [
        {
            "event": "applied",
            "message_id": "m-1",
            "task_id": "m-1",
            "attempt": 3,
            "effect": "updated",
            "match_id": 7,
        }
    ]
    assert bench.wire.sent == []
    assert bench.counted("messages_processed_total", outcome="updated") == 1
    runs = {"task": PROCESS_TASK, "outcome": "succeeded"}
    assert bench.counted("task_runtime_seconds_count", **runs) == 1
    assert bench.streak.tally() == Tally(0, 0, 1)


def test_each_match_of_a_batch_is_told_under_its_id_and_only_those_that_took_effect() -> None:
    bench = Bench(Store(effect=Effect.UPDATED))
    came = [replace(CAME, message_id=f"m-{n}", attempt=n) for n in (1, 2)]
    told = bench.handle_together(*came)
    assert [(each["message_id"], each["attempt"]) for each in told] == [("m-1", 1), ("m-2", 2)]
    assert {each["event"] for each in told} == {"applied"}
    said = Bench(Store(effect=Effect.INVALID)).handle_together(*came)
    assert {each["event"] for each in said} == {"failed", "dead-lettered"}


@pytest.mark.parametrize(("every", "told"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4])])
def test_of_a_batch_every_nth_is_told(every: int, told: list[int]) -> None:
    bench = Bench(Store(), log_every=every)
    batches = [replace(CAME, message_id=str(n)) for n in (1, 2, 3)], [replace(CAME, message_id="4")]
    lines = [line for each in batches for line in bench.handle_together(*each)]
    assert [int(line["message_id"]) for line in lines] == [n for n in told if n < 5]


@pytest.mark.parametrize(("every", "told"), [(0, []), (1, [1, 2, 3, 4, 5]), (2, [2, 4])])
def test_of_those_that_took_effect_every_nth_is_told(every: int, told: list[int]) -> None:
    bench = Bench(Store(), log_every=every)
    assert [n for n in range(1, 6) if bench.handle()] == told


def test_a_match_that_breaks_the_contract_is_dead_lettered_with_what_is_wrong() -> None:
    bench = Bench(Store(effect=Effect.INVALID))
    failed, dead = bench.handle()
    assert failed["error"] == "ContractViolation: home_score = -1: must not be negative"
    assert dead == {
        "event": "dead-lettered",
        "reason": Reason.INVALID,
        "message_id": "m-1",
        "task_id": "m-1",
        "attempt": 3,
    }
    ((sent, exchange, key, within_s, expiration_ms),) = bench.wire.sent
    assert (exchange, key) == (DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE)
    assert (within_s, expiration_ms) == (10, None)
    assert (sent.message_id, sent.attempt, sent.body) == ("m-1", 3, rebuild_envelope(CAME).body)
    headers = sent.headers
    assert headers[envelope.DEAD_REASON] == "invalid"
    assert headers[envelope.DEAD_DETAIL] == "home_score = -1: must not be negative"
    assert headers[envelope.DEAD_WHERE] == "worker-1@here"
    assert headers[envelope.DEAD_QUEUE] == PROCESS_QUEUE
    died = datetime.fromisoformat(headers[envelope.DEAD_AT])
    assert abs(datetime.now(UTC) - died) < SOON
    assert (headers[envelope.REPLAYS], headers[envelope.CONTRACT]) == (2, "3.0")
    assert bench.counted("dead_lettered_total", reason="invalid") == 1
    assert bench.counted("messages_processed_total", outcome="dead_lettered") == 1
    runs = {"task": PROCESS_TASK, "outcome": "failed"}
    assert bench.counted("task_runtime_seconds_count", **runs) == 1
    assert bench.streak.tally() == Tally(0, 0, 1)


def test_a_match_that_was_given_up_though_it_is_right_has_a_latency() -> None:
    bench = Bench(Store(Refused("403")))
    bench.handle()
    latency = {"outcome": "dead_lettered", "way": "queue"}
    assert bench.counted("dead_lettered_total", reason="refused") == 1
    assert bench.counted("message_latency_seconds_count", **latency) == 1


def test_an_outage_is_waited_for_in_the_queue_of_its_retry_step() -> None:
    bench = Bench(Store(ApiUnavailable("no answer")))
    (failed,) = bench.handle()
    assert failed["event"] == "failed"
    assert failed["error"] == "ApiUnavailable: no answer"
    ((sent, exchange, key, within_s, expiration_ms),) = bench.wire.sent
    step_s = RETRY_DELAYS_S[2]
    assert (exchange, key) == (RETRY_EXCHANGE, retry_queue(step_s))
    assert (within_s, expiration_ms) == (10, 1000 * step_s)
    assert (sent.message_id, sent.attempt, sent.published_at) == ("m-1", 4, AT)
    assert sent.body == rebuild_envelope(CAME).body
    assert bench.counted("retries_total", reason="api") == 1
    assert bench.counted("messages_processed_total", outcome="retried") == 1
    assert bench.streak.tally() == Tally(0, 0, 1)


def test_a_bug_is_waited_for_too_told_with_its_traceback_and_counted_for_the_brake() -> None:
    bug = ZeroDivisionError("division by zero")
    bench = Bench(Store(bug))
    (failed,) = bench.handle()
    assert failed["exc_info"] is bug
    assert (failed["event"], failed["error"]) == ("failed", "ZeroDivisionError: division by zero")
    assert failed["decision"] == RetryIn(RETRY_DELAYS_S[2], 1000 * RETRY_DELAYS_S[2])
    assert bench.counted("retries_total", reason="bug") == 1
    assert bench.streak.tally() == Tally(1, 1, 0)


@pytest.mark.parametrize("outcome", [PublishOutcome.REFUSED, PublishOutcome.UNKNOWN])
@pytest.mark.parametrize("error", [ApiUnavailable("x"), Refused("x")])
def test_what_is_not_confirmed_goes_back_to_its_queue_and_counts_as_nothing(
    error: Exception, outcome: PublishOutcome
) -> None:
    bench = Bench(Store(error), Wire(outcome))
    with pytest.raises(BrokerUnavailable, match=r"m-1 to .+: why not"):
        bench.handle()
    for name, labels in (
        ("retries_total", {"reason": "api"}),
        ("dead_lettered_total", {"reason": "refused"}),
        ("messages_processed_total", {"outcome": "retried"}),
        ("messages_processed_total", {"outcome": "dead_lettered"}),
    ):
        assert bench.counted(name, **labels) == 0


def test_a_pause_is_drawn_within_the_jitter() -> None:
    bench = Bench(Store(*[ApiUnavailable("x")] * 20))
    bench.handler.policy = Policy(jitter=0.5)
    for _ in range(20):
        bench.handle(replace(CAME, attempt=1))
    waits = [expiration_ms for *_, expiration_ms in bench.wire.sent if expiration_ms is not None]
    assert len(set(waits)) > 10
    assert all(500 <= each <= 1000 for each in waits)


@pytest.mark.parametrize(
    ("odd", "words"),
    [
        ({**OURS, "location": "\ud800"}, "location"),
        ({**OURS, "home_score": float("inf")}, "home_score"),
        (["\ud800"], "must be"),
    ],
    ids=["half a pair", "no number", "no match"],
)
def test_what_cannot_be_sent_on_is_refused_before_the_sink_sees_it(odd: Any, words: str) -> None:
    bench = Bench(Store())
    with pytest.raises(ContractViolation, match=words):
        bench.handler.submission(replace(CAME, args=(odd,)))


def test_should_no_rule_name_what_cannot_be_sent_on_it_is_refused_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Today the contract refuses every such value by its field; a later one may forget one."""

    def lenient(match: Any, *, published_at: None, arrived_at: datetime) -> None:
        assert (match, published_at) == (odd, None)
        assert abs(datetime.now(UTC) - arrived_at) < SOON

    monkeypatch.setattr("system.contract.observation.read", lenient)
    odd = {"colour": float("nan")}
    with pytest.raises(ContractViolation) as refused:
        Bench(Store()).handler.submission(replace(CAME, args=(odd,)))
    (violation,) = refused.value.violations
    assert (violation.field, violation.value) == ("(match)", '{"colour": NaN}')
    assert violation.rule.startswith("must be JSON in UTF-8: Out of range float")


def test_a_message_is_wrapped_again_as_it_came() -> None:
    again = rebuild_envelope(CAME)
    assert again.arguments == [OURS]
    assert (again.message_id, again.attempt, again.published_at) == ("m-1", 3, CAME.published_at)
    assert again.headers[envelope.REPLAYS] == 2
    assert again.headers[envelope.CONTRACT] == "3.0"


def test_what_a_task_was_given_by_name_is_wrapped_again_too() -> None:
    again = rebuild_envelope(replace(CAME, args=(), kwargs={"match": OURS}))
    assert b'"match"' in again.body


def test_a_message_without_a_time_gets_that_of_its_arrival_once() -> None:
    again = rebuild_envelope(replace(CAME, published_at=None))
    assert again.published_at is not None
    assert abs(datetime.now(UTC) - again.published_at) < SOON


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((OURS, OURS), {}), ((OURS,), {"x": 1})])
def test_a_task_takes_one_match_and_nothing_else(
    args: tuple[object, ...], kwargs: dict[str, int]
) -> None:
    with pytest.raises(ContractViolation) as refused:
        match_argument(Incoming("m-1", args, kwargs, None, 1))
    given = f"{len(args)} arguments and {len(kwargs)} keywords"
    assert refused.value.violations == [
        Violation("(arguments)", abbreviate(args), f"must be one match, not {given}")
    ]
