"""The failure policy, case by case."""

from __future__ import annotations

import pytest
from billiard.exceptions import SoftTimeLimitExceeded
from hypothesis import given
from hypothesis import strategies as st

from system.contract.reasons import Reason
from system.contract.topology import RETRY_DELAYS_S
from system.errors import (
    ApiUnavailable,
    BrokerUnavailable,
    ContractViolation,
    DatabaseUnavailable,
    Refused,
    Violation,
)
from system.worker.retry import Cause, GiveUp, Policy, RetryIn, cause, decide, is_bug

POLICY = Policy()
BROKEN = ContractViolation([Violation("home_score", "-1", "must not be negative")])
WAITED_FOR = [
    ApiUnavailable("x"),
    DatabaseUnavailable("x"),
    BrokerUnavailable("x"),
    SoftTimeLimitExceeded(),
    ZeroDivisionError("division by zero"),
]


def test_data_that_breaks_the_contract_is_dead_lettered_at_once_with_the_rule() -> None:
    assert decide(BROKEN, 1, POLICY, 0) == GiveUp(
        Reason.INVALID, "home_score = -1: must not be negative"
    )


def test_a_no_that_will_stay_a_no_is_dead_lettered_at_once() -> None:
    assert decide(Refused("403"), 1, POLICY, 0) == GiveUp(Reason.REFUSED, "403")


@pytest.mark.parametrize("error", WAITED_FOR, ids=lambda e: type(e).__name__)
def test_an_outage_and_a_bug_are_waited_for_longer_each_time_up_to_a_day(error: Exception) -> None:
    """A bug is no fault of its message: a repaired worker will apply it."""
    decisions = [decide(error, n, POLICY, 0) for n in range(1, POLICY.attempts_max)]
    waits = [each.wait_ms for each in decisions if isinstance(each, RetryIn)]
    assert len(waits) == POLICY.attempts_max - 1
    assert waits == sorted(waits)
    assert waits[0] == 1000
    assert 20 * 3600 < sum(waits) / 1000 < 30 * 3600
    last = decide(error, POLICY.attempts_max, POLICY, 0)
    said = f"after 100 attempts: {type(error).__name__}: {error or type(error).__name__}"
    assert last == GiveUp(Reason.EXHAUSTED, said)


@given(st.integers(1, 99), st.floats(0, 1))
def test_a_pause_falls_within_its_step_and_the_jitter(attempt: int, spread: float) -> None:
    decision = decide(ApiUnavailable("x"), attempt, POLICY, spread)
    assert isinstance(decision, RetryIn)
    assert decision.step_s in RETRY_DELAYS_S
    assert (1 - POLICY.jitter) * decision.step_s * 1000 - 1 <= decision.wait_ms
    assert decision.wait_ms <= decision.step_s * 1000


def test_messages_that_failed_together_do_not_come_back_together() -> None:
    waits = {decide(ApiUnavailable("x"), 3, POLICY, n / 10) for n in range(10)}
    assert len(waits) == 10


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (DatabaseUnavailable("x"), Cause.DATABASE),
        (ApiUnavailable("x"), Cause.API),
        (BrokerUnavailable("x"), Cause.BROKER),
        (SoftTimeLimitExceeded(), Cause.TIME_LIMIT),
        (ZeroDivisionError(), Cause.BUG),
        (BROKEN, Cause.BUG),
    ],
    ids=lambda each: each if isinstance(each, str) else type(each).__name__,
)
def test_what_a_message_waits_for_has_a_name(error: Exception, named: Cause) -> None:
    assert cause(error) is named
    assert is_bug(error) is (isinstance(error, ZeroDivisionError))


def test_a_refusal_is_no_bug() -> None:
    assert not is_bug(Refused("403"))


def test_the_pauses_are_those_of_the_queues_and_the_last_one_stays() -> None:
    steps = [decide(ApiUnavailable("x"), n, POLICY, 1.0) for n in range(1, 10)]
    last = RETRY_DELAYS_S[-1]
    assert [each.step_s for each in steps if isinstance(each, RetryIn)] == [
        *RETRY_DELAYS_S,
        *[last] * (9 - len(RETRY_DELAYS_S)),
    ]
    assert steps[-1] == RetryIn(last, 750 * last)


def test_an_error_without_words_is_told_by_its_kind() -> None:
    assert decide(Refused(""), 1, POLICY, 0) == GiveUp(Reason.REFUSED, "Refused")
