"""Evaluates objectives from Prometheus: queries the counters; `lab.slo.evaluate` decides."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from lab.clients.prometheus.client import Prometheus
from lab.slo import evaluate
from lab.slo.evaluate import CounterSamples, EvaluationWindow, SloResult
from lab.slo.spec import Slo

POINTS = 3600
"""Of each counter in a window: a point each second of an hour."""

_NO_VALUE = "\N{EN DASH}"


def window(begin: float, end: float, fresh_s: float, *, from_zero: bool) -> EvaluationWindow:
    """A window whose last point is its end, so that the last scrape of a run is included.

    Args:
        begin, end: seconds since the epoch; the beginning is moved to a whole number of steps.
        fresh_s, from_zero: see `lab.slo.evaluate.EvaluationWindow`.
    """
    step_s = max(1.0, math.ceil((end - begin) / POINTS))
    begin = end - math.ceil((end - begin) / step_s) * step_s
    return EvaluationWindow(begin, end, step_s, fresh_s, from_zero)


def evaluate_slos(
    prometheus: Prometheus, slos: Sequence[Slo], span: EvaluationWindow
) -> list[SloResult]:
    """Evaluate each objective over a window.

    Raises:
        NoData: Prometheus does not answer.
    """
    samples = {
        selector: _samples(prometheus, selector, span) for selector in evaluate.counters(slos)
    }
    return [evaluate.evaluate_slo(slo, samples, span) for slo in slos]


def as_table(results: Sequence[SloResult]) -> Table:
    """The results for people: value, goal, budget, burn rate, verdict."""
    # Two headings on two lines: so a goal is not broken on 80 columns.
    headings = ("objective", "value", "goal", "budget\nleft", "burn\nrate", "events", "verdict")
    table = Table(*headings, box=None)
    for result in results:
        table.add_row(
            result.objective,
            _value(result),
            result.goal,
            _NO_VALUE if result.budget_left is None else f"{result.budget_left:.1%}",
            _NO_VALUE if result.burn_rate is None else f"{result.burn_rate:.2f}",
            _NO_VALUE if result.value is None else f"{result.events:.0f}",
            result.verdict,
        )
    return table


def _value(each: SloResult) -> str:
    if each.value is None:
        return _NO_VALUE
    return f"{each.value * 1000:.1f} ms" if each.unit == "seconds" else f"{each.value:.4%}"


def _samples(prometheus: Prometheus, selector: str, span: EvaluationWindow) -> CounterSamples:
    series, scraped = (
        prometheus.range(query, span.begin, span.end, span.step_s)
        for query in (selector, f"max(timestamp({selector}))")
    )
    return CounterSamples(series, [moment for line in scraped for _, moment in line.points])
