"""Objectives judged by what Prometheus says: asks for the counters; `lab.slo.evaluate` decides."""

from __future__ import annotations

import math
from collections.abc import Sequence

from rich.table import Table

from lab.clients.prometheus.client import Prometheus
from lab.slo import evaluate
from lab.slo.evaluate import Judgement, Look, Window
from lab.slo.spec import Slo

POINTS = 3600
"""Of each counter in a window: a point each second of an hour."""

_UNTOLD = "\N{EN DASH}"


def window(begin: float, end: float, fresh_s: float, *, from_zero: bool) -> Window:
    """A window whose last point is its end, so that the last scrape of a run is looked at too.

    Args:
        begin, end: seconds since the epoch; the beginning is moved to a whole number of steps.
        fresh_s, from_zero: see `lab.slo.evaluate.Window`.
    """
    step_s = max(1.0, math.ceil((end - begin) / POINTS))
    begin = end - math.ceil((end - begin) / step_s) * step_s
    return Window(begin, end, step_s, fresh_s, from_zero)


def judge(prometheus: Prometheus, slos: Sequence[Slo], span: Window) -> list[Judgement]:
    """Judge each objective over a window.

    Raises:
        NoData: nobody answers.
    """
    seen = {each: _look(prometheus, each, span) for each in evaluate.counters(slos)}
    return [evaluate.judge(each, seen, span) for each in slos]


def as_table(judged: Sequence[Judgement]) -> Table:
    """The judgements for people: value, goal, budget, burn rate, verdict."""
    table = Table(
        "objective", "value", "goal", "budget left", "burn rate", "events", "verdict", box=None
    )
    for each in judged:
        table.add_row(
            each.objective,
            _value(each),
            each.goal,
            _UNTOLD if each.budget_left is None else f"{each.budget_left:.1%}",
            _UNTOLD if each.burn_rate is None else f"{each.burn_rate:.2f}",
            _UNTOLD if each.value is None else f"{each.events:.0f}",
            each.verdict,
        )
    return table


def _value(each: Judgement) -> str:
    if each.value is None:
        return _UNTOLD
    return f"{each.value * 1000:.1f} ms" if each.unit == "seconds" else f"{each.value:.4%}"


def _look(prometheus: Prometheus, selector: str, span: Window) -> Look:
    series, scraped = (
        prometheus.range(query, span.begin, span.end, span.step_s)
        for query in (selector, f"max(timestamp({selector}))")
    )
    return Look(series, [moment for each in scraped for _, moment in each.points])
