"""Objectives judged from counters: met, violated, and unknown wherever one could not look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from lab.clients.prometheus.results import Series
from lab.slo.evaluate import (
    CounterSamples,
    EvaluationWindow,
    SloResult,
    SloState,
    counters,
    evaluate_slo,
    increase,
    overall,
    unknown,
)
from lab.slo.spec import Slo, load

BEGIN = 1000.0
WINDOW = EvaluationWindow(BEGIN, BEGIN + 120, step_s=1, fresh_s=10, from_zero=True)
SUCCESS, MEAN, P99 = load()


def series(*values: float, begin: float = BEGIN + 2, step: float = 1, **labels: str) -> Series:
    points = tuple((begin + number * step, value) for number, value in enumerate(values))
    return Series(labels, points)


def rising(to: float, seconds: int = 119) -> Series:
    """A counter that is first scraped at 0 and grows evenly until the window's end."""
    return series(*(to * second / (seconds - 1) for second in range(seconds)))


def sorted_counters() -> tuple[str, str, str]:
    by_name = {each.partition("{")[0]: each for each in counters([SUCCESS])}
    return (
        by_name["missing_table_effects_total"],
        by_name["missing_table_dead_lettered_total"],
        by_name["rabbitmq_global_messages_dead_lettered_delivery_limit_total"],
    )


EFFECTS, FAILED, POISON = sorted_counters()


def look(found: Sequence[Series]) -> CounterSamples:
    return CounterSamples(found, [at for each in found for at, _ in each.points])


def result_of(
    slo: Slo, samples: Mapping[str, Sequence[Series]], window: EvaluationWindow = WINDOW
) -> SloResult:
    return evaluate_slo(slo, {name: look(found) for name, found in samples.items()}, window)


def success(
    good: Sequence[Series], failed: Sequence[Series], window: EvaluationWindow = WINDOW
) -> SloResult:
    return result_of(SUCCESS, {EFFECTS: good, FAILED: failed, POISON: [rising(0)]}, window)


def test_a_budget_is_used_up_by_exactly_one_failure_of_a_thousand() -> None:
    just = success([rising(999)], [rising(1)])
    assert just.verdict is SloState.MET
    assert just.value == pytest.approx(0.999)
    assert just.events == pytest.approx(1000)
    assert just.burn_rate == pytest.approx(1)
    assert just.budget_left == pytest.approx(0, abs=1e-9)

    over = success([rising(998)], [rising(2)])
    assert over.verdict is SloState.VIOLATED
    assert over.burn_rate == pytest.approx(2)
    assert over.budget_left == pytest.approx(-1)


def test_what_the_broker_gave_up_itself_is_a_failure_too() -> None:
    samples = {EFFECTS: [rising(90)], FAILED: [rising(0)], POISON: [rising(10)]}
    result = result_of(SUCCESS, samples)
    assert result.verdict is SloState.VIOLATED
    assert result.value == pytest.approx(0.9)


def test_a_mean_is_met_below_its_bound_only() -> None:
    total, count = counters([MEAN])
    result = result_of(MEAN, {total: [rising(49)], count: [rising(100)]})
    assert result.verdict is SloState.MET
    assert result.value == pytest.approx(0.49)
    assert result.budget_left == pytest.approx(0.02)
    at_the_bound = result_of(MEAN, {total: [rising(50)], count: [rising(100)]})
    assert at_the_bound.verdict is SloState.VIOLATED


def test_a_share_within_a_time_is_judged_by_its_good_events() -> None:
    within, count = counters([P99])
    met = result_of(P99, {within: [rising(99)], count: [rising(100)]})
    assert met.verdict is SloState.MET
    assert met.value == pytest.approx(0.99)
    over = result_of(P99, {within: [rising(98)], count: [rising(100)]})
    assert over.verdict is SloState.VIOLATED


def test_increases_are_exact() -> None:
    counts_from_zero = series(7, 9, 9, 12)  # first scraped when it had counted already
    assert increase(counts_from_zero, WINDOW) == 12
    assert increase(counts_from_zero, replace(WINDOW, from_zero=False)) == 5
    was_there_before = series(7, 9, begin=BEGIN)
    assert increase(was_there_before, WINDOW) == 2
    begins_again = series(0, 5, 2, 3)
    assert increase(begins_again, WINDOW) == 8
    assert increase(series(4), WINDOW) == 4


def test_several_series_of_a_counter_are_added_up() -> None:
    halves = [rising(500), rising(499)]
    assert success(halves, [rising(1)]).events == pytest.approx(1000)


UNKNOWN = {
    "nothing was scraped": ([], [rising(0)], WINDOW, "the process that counts it"),
    "whoever counts failures was not scraped": ([rising(9)], [], WINDOW, "dead_lettered"),
    "no traffic": ([rising(0)], [rising(0)], WINDOW, "no message"),
    "the scrapes ended early": ([rising(9, 100)], [rising(0)], WINDOW, "before the end"),
    "failures were scraped no more": ([rising(9)], [rising(0, 100)], WINDOW, "before the end"),
    "a hole": (
        [series(0, 9), series(9, 9, begin=BEGIN + 118)],
        [rising(0)],
        WINDOW,
        "was not scraped for",
    ),
    "the scrapes began late": (
        [series(*range(100), begin=BEGIN + 20)],
        [rising(0)],
        replace(WINDOW, from_zero=False),
        "after the window's beginning",
    ),
    "a moment only": ([rising(9)], [rising(0)], replace(WINDOW, end=BEGIN + 9), "too short"),
}


@pytest.mark.parametrize("what", UNKNOWN)
def test_what_could_not_be_looked_at_is_unknown(what: str) -> None:
    good, failed, window, because = UNKNOWN[what]
    result = success(good, failed, window)
    assert result.verdict is SloState.UNKNOWN
    assert because in result.because
    assert result.value is None
    assert result.budget_left is None


def test_values_that_are_only_carried_on_are_no_scrapes() -> None:
    """Prometheus repeats the last value for five minutes where it was not scraped."""
    carried_on = rising(9)
    samples = {EFFECTS: look([rising(9)]), POISON: look([rising(0)])}
    samples[FAILED] = CounterSamples([carried_on], [BEGIN + 2, BEGIN + 3])
    assert evaluate_slo(SUCCESS, samples, WINDOW).verdict is SloState.UNKNOWN


def test_a_short_pause_between_scrapes_is_no_hole() -> None:
    with_a_pause = [series(0, 9), series(9, 9, 9, begin=BEGIN + 60, step=29)]
    assert success(with_a_pause, [rising(0)]).verdict is SloState.MET


def test_one_violated_violates_all_and_one_unknown_leaves_all_unknown() -> None:
    met = success([rising(9)], [rising(0)])
    violated = success([rising(9)], [rising(9)])
    open_ = unknown(MEAN, "nobody answers")
    assert overall([met, met]) is SloState.MET
    assert overall([met, open_]) is SloState.UNKNOWN
    assert overall([met, violated, open_]) is SloState.VIOLATED
    assert overall([]) is SloState.UNKNOWN
