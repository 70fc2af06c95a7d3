"""Latency, rates and objectives, against numbers worked out by hand."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from lab.checker.check import Audit, audit
from lab.checker.measures import LATENCY_MEAN, SUCCESS_RATIO, Objective, nearest_rank
from lab.checker.outcomes import LOOKS
from lab.checker.verdict import Verdict
from lab.tests.histories import Record, attempted, dead_letter, events, receipt, record


def run(*middle: Record, settings: Mapping[str, object] | None = None) -> Audit:
    """The audit of a run with these records between its begin and its end."""
    return audit(
        events(
            [
                record("started", 0, name="m", substrate="fake", seed=1, settings=settings or {}),
                record("settled", 0, ok=True, seconds=0.1, waiting=0),
                *middle,
                *(record("looked", 90, what=what, ok=True, detail="all") for what in LOOKS),
                record("ended", 90),
            ]
        )
    )


def committed(number: int, published_s: float, committed_s: float) -> list[Record]:
    message_id, identity = f"m{number:04d}", str(number)
    return [
        attempted(message_id, published_s, identity),
        record("accepted", published_s, message_id=message_id, way="queue"),
        receipt(
            message_id,
            committed_s,
            identity,
            "created",
            observed_s=published_s,
            cursor=f"{number}.0",
        ),
    ]


def many(*latencies_s: float) -> list[Record]:
    """One message a second, each with its latency."""
    return [
        line
        for number, latency in enumerate(latencies_s, 1)
        for line in committed(number, number, number + latency)
    ]


def objective(result: Audit, name: str) -> Objective:
    return next(each for each in result.objectives if each.name == name)


def test_latency_counts_from_publish_to_the_first_commit() -> None:
    result = run(*many(*(n / 1000 for n in range(1, 101))))
    assert result.latency is not None
    assert [round(value, 3) for value in result.latency] == [50.5, 50, 95, 99, 100]


def test_percentiles_are_values_that_were_measured() -> None:
    assert nearest_rank([7.0], 0.5) == nearest_rank([7.0], 0.99) == 7
    assert nearest_rank([1.0, 2.0], 0.5) == 1
    assert nearest_rank([1.0, 2.0, 3.0], 0.5) == 2
    assert nearest_rank([1.0, 2.0, 3.0], 0.95) == 3


def test_rates_count_effects_to_the_last_commit_and_arrivals_between_publishes() -> None:
    result = run(*many(0.1, 0.1, 0.1, 1.0))  # published at 1, 2, 3, 4; the last ends at 5
    assert result.arrivals_per_s == pytest.approx(1.0)
    assert result.throughput_per_s == pytest.approx(4 / 4)
    assert run(*many(0.5)).arrivals_per_s is None


def test_a_good_message_that_died_counts_with_the_time_at_which_it_ended() -> None:
    dead = [
        attempted("dead", 1, "900"),
        record("accepted", 1, message_id="dead", way="queue"),
        dead_letter("dead", 5, reason="exhausted", detail="database away"),
    ]
    result = run(*many(0.0005), *dead)
    assert result.latency is not None
    assert result.latency.max == 4000
    assert objective(result, LATENCY_MEAN).met is False
    assert objective(result, SUCCESS_RATIO).value == 0.5


def test_a_broken_message_that_died_rightly_counts_for_neither() -> None:
    dead = [
        attempted("dead", 1, "900", expect="dead-letter"),
        record("accepted", 1, message_id="dead", way="queue"),
        dead_letter("dead", 60),
    ]
    result = run(*many(0.01, 0.01), *dead)
    assert result.valid, result.why
    assert objective(result, SUCCESS_RATIO).value == 1
    assert result.latency is not None
    assert result.latency.max == pytest.approx(10)


def test_a_message_that_was_refused_or_never_confirmed_is_no_success_and_no_failure() -> None:
    result = run(
        *many(0.01),
        attempted("refused", 1, "901"),
        record("refused", 1, message_id="refused", way="http", detail="HTTP 503"),
        attempted("unsure", 1, "902"),
        record("unknown", 1, message_id="unsure", way="queue", detail="cut off"),
    )
    assert objective(result, SUCCESS_RATIO).explanation.startswith("1 of 1 ")
    assert result.valid


@pytest.mark.parametrize(("lost", "met"), [(1, True), (2, False)])
def test_one_in_a_thousand_may_fail_and_not_two(lost: int, met: bool) -> None:
    records = many(*[0.001] * (1000 - lost))
    for number in range(lost):
        records += committed(5000 + number, 1, 1)[:2]  # accepted, and never seen again
    assert objective(run(*records), SUCCESS_RATIO).met is met


@pytest.mark.parametrize(("latency_s", "met"), [(0.4999, True), (0.5, False), (0.5001, False)])
def test_the_mean_must_be_under_half_a_second(latency_s: float, met: bool) -> None:
    result = run(*many(latency_s, latency_s))
    assert objective(result, LATENCY_MEAN).met is met
    assert result.verdict is (Verdict.VALID if met else Verdict.INVALID)
    assert ("latency_mean_ms" in result.why) is not met


def test_without_a_sample_an_objective_is_unknown_and_unknown_does_not_pass() -> None:
    result = run(attempted("m", 1, "1"))
    assert [each.met for each in result.objectives] == [None, None]
    assert result.verdict is Verdict.UNKNOWN
    assert "no message ended" in result.why


def test_what_is_still_on_its_way_leaves_the_ratio_open() -> None:
    records = [*many(*[0.001] * 9), *committed(77, 1, 1)[:2]]
    records.append(record("pending", 80, where="retry", message_ids=["m0077"]))
    assert objective(run(*records), SUCCESS_RATIO).met is None


def test_clocks_that_disagree_leave_the_latency_open() -> None:
    result = run(*many(0.1, -0.2))
    assert objective(result, LATENCY_MEAN).met is None
    assert result.verdict is Verdict.UNKNOWN
    assert "clocks disagree" in result.why


def test_a_run_may_set_its_own_objectives_or_none() -> None:
    asked = {"objectives": {"latency_mean_ms": 3000}}
    assert run(*many(2, 2), settings=asked).valid
    assert not run(*many(2, 2)).valid
    result = run(*many(2, 2), settings={"objectives": {"latency_mean_ms": None}})
    assert result.valid
    assert objective(result, LATENCY_MEAN).value == pytest.approx(2000)
    assert objective(result, LATENCY_MEAN).met is None


def test_a_second_try_of_a_message_counts_from_its_first() -> None:
    records = committed(1, 1, 1.4)
    records.insert(2, attempted("m0001", 1.3, "1"))
    result = run(*records)
    assert result.latency is not None
    assert result.latency.mean == pytest.approx(400)
    assert result.counts.attempted == 1
