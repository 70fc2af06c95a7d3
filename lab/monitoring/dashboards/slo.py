"""Objectives and error budgets, generated from lab/slo/slo.yaml like the rules."""

from __future__ import annotations

from lab.monitoring.dashboards.board import Board, BoardRow
from lab.monitoring.dashboards.panels import (
    AMBER,
    GREEN,
    RED,
    Panel,
    PanelState,
    Query,
    green_from,
    lines,
    number,
    red_from,
    states,
)
from lab.slo.burn_rate import MEAN_WINDOWS, SEVERITIES, error_ratio
from lab.slo.spec import RatioMetric, Slo, load

_BURNS = sorted({burn.rate for severity in SEVERITIES for burn in severity.burns})


def board() -> Board:
    """One row for each objective."""
    rows = [_of_mean(slo) if slo.mean else _of_ratio(slo, slo.ratio) for slo in load()]
    return Board(
        "slo",
        "Missing Table / Objectives and error budgets",
        "Does the pipeline meet its objectives, and how long will it if nothing changes? "
        "`lab slo` judges the same objectives, with an exit code.",
        (*rows, _alerts()),
    )


def _of_ratio(slo: Slo, metric: RatioMetric | None) -> BoardRow:
    if metric is None:
        raise ValueError(f"{slo.name} is neither a ratio nor a mean")
    only, target = f'{{slo="{slo.name}"}}', slo.goal.target
    window = slo.spec.timeWindow[0].duration
    budget = f"{1 - target:.10g}"
    return BoardRow(
        _headline(slo),
        (
            _share(
                f"{slo.name}: now",
                f"The good share of the last minutes. {slo.spec.description}",
                f"1 - slo:sli_error:ratio_rate5m{only}",
                target,
            ),
            _share(
                f"{slo.name}: over the time shown",
                "The good share of the time that this board shows.",
                f"1 - ({error_ratio(metric, '$__range')})",
                target,
            ),
            number(
                f"{slo.name}: budget left",
                f"Of the errors that {window} may hold, what is left. Good: much of it near the "
                "end of the window. Bad: near zero: change nothing risky; below zero: the "
                "objective "
                "is missed.",
                "percentunit",
                Query(f"1 - ({error_ratio(metric, window)}) / {budget}"),
                steps=((None, RED), (0, AMBER), (0.25, GREEN)),
                width=8,
                decimals=1,
                no_value="no traffic",
            ),
            lines(
                f"{slo.name}: burn rate",
                "How many times too fast the budget is used up; at 1 it lasts exactly for its "
                "window. Good: below 1. Bad: both a short and a long window above one of the "
                "lines: an alert fires, see the runbook ErrorBudgetBurnFast or -Slow.",
                "none",
                *(
                    Query(
                        f"slo:sli_error:ratio_rate{each}{only} / slo:error_budget:ratio{only}",
                        each,
                    )
                    for each in ("5m", "30m", "1h", "6h", "3d")
                ),
                limit=((None, GREEN), *((each, RED) for each in _BURNS)),
                width=12,
            ),
            lines(
                f"{slo.name}: bad share",
                "Good: zero, or below the line, which is the budget. Bad: above it. Gaps are "
                "times without traffic, which say nothing.",
                "percentunit",
                *(
                    Query(f"slo:sli_error:ratio_rate{each}{only}", each)
                    for each in ("5m", "1h", "6h")
                ),
                limit=red_from(1 - target),
                width=6,
            ),
            _events(slo),
        ),
    )


def _of_mean(slo: Slo) -> BoardRow:
    only, bound = f'{{slo="{slo.name}"}}', slo.goal.value
    if bound is None:
        raise ValueError(f"{slo.name} has no bound")
    return BoardRow(
        _headline(slo),
        (
            *(
                number(
                    f"{slo.name}: {each}",
                    f"The mean of the last {each}. {slo.spec.description} Good: below {bound:g} s. "
                    "Bad: red; see the runbook LatencyHigh.",
                    "s",
                    Query(f"slo:sli_mean:seconds_rate{each}{only}"),
                    steps=red_from(bound),
                    width=8,
                    no_value="no traffic",
                )
                for each in MEAN_WINDOWS
            ),
            lines(
                f"{slo.name}: over time",
                "Good: every window below the line. Bad: the short ones above it: messages wait "
                "now; the long one too: they have for hours.",
                "s",
                *(Query(f"slo:sli_mean:seconds_rate{each}{only}", each) for each in MEAN_WINDOWS),
                limit=red_from(bound),
                width=18,
            ),
            _events(slo),
        ),
    )


def _headline(slo: Slo) -> str:
    return f"{slo.metadata.displayName or slo.name}: {slo.goal.displayName}"


def _share(title: str, text: str, query: str, target: float) -> Panel:
    return number(
        title,
        f"{text} Good: {target:.5g} or more, as promised. Bad: red.",
        "percentunit",
        Query(query),
        steps=green_from(target),
        width=8,
        decimals=2,
        no_value="no traffic",
    )


def _events(slo: Slo) -> Panel:
    return lines(
        f"{slo.name}: events in 1h",
        "The number of events behind the shares. Good: hundreds. Bad: below the line: so few that "
        "no alert "
        "fires, since a single failure would be a large share.",
        "short",
        Query(f'slo:sli_events:increase1h{{slo="{slo.name}"}}', "events"),
        limit=green_from(100),
        width=6,
    )


def _alerts() -> BoardRow:
    return BoardRow(
        "Alerts",
        (
            states(
                "Alerts that fire",
                "Good: only Watchdog, which always fires, to show that alerts arrive. "
                "Bad: any other; and no bar at all: the rules are not evaluated.",
                Query('max by (alertname) (ALERTS{alertstate="firing"})', "{{alertname}}"),
                {1: PanelState("fires", RED)},
            ),
        ),
    )
