"""Objectives and error budgets, generated from lab/slo/slo.yaml like the rules."""

from __future__ import annotations

from lab.monitoring.dashboards.board import AMBER, GREEN, RED, Board, green_from, red_from
from lab.slo.burn_rate import MEAN_WINDOWS, SEVERITIES, error_ratio
from lab.slo.spec import Ratio, Slo, load

_BURNS = sorted({burn.rate for severity in SEVERITIES for burn in severity.burns})
_NO_TRAFFIC = "no traffic"


def draw() -> Board:
    """One row for each objective."""
    board = Board(
        "slo",
        "Missing Table / Objectives and error budgets",
        "Does the pipeline meet its objectives, and how long will it if nothing changes? "
        "`lab slo` judges the same objectives, with an exit code.",
    )
    for slo in load():
        board.row(f"{slo.metadata.displayName or slo.name}: {slo.goal.displayName}", numbers=3)
        if slo.ratio is not None:
            _ratio(board, slo, slo.ratio)
        else:
            _mean(board, slo)
        board.panel(
            f"{slo.name}: events in 1h",
            "The number of events behind the shares. Good: hundreds. Bad: below the line: so few "
            "that no alert fires, since a single failure would be a large share.",
        ).lines(
            "short",
            {"events": f'slo:sli_events:increase1h{{slo="{slo.name}"}}'},
            limit=green_from(100),
            width=6,
        )
    board.row("Alerts")
    board.panel(
        "Alerts that fire",
        "Good: only Watchdog, which always fires, to show that alerts arrive. Bad: any other; and "
        "no bar at all: the rules are not evaluated.",
    ).states(
        {"{{alertname}}": 'max by (alertname) (ALERTS{alertstate="firing"})'}, {1: ("fires", RED)}
    )
    return board


def _ratio(board: Board, slo: Slo, ratio: Ratio) -> None:
    only, target = f'{{slo="{slo.name}"}}', slo.goal.target
    window = slo.spec.timeWindow[0].duration
    for when, text, query in (
        ("now", f"last minutes. {slo.spec.description}", f"slo:sli_error:ratio_rate5m{only}"),
        (
            "over the time shown",
            "time that this board shows.",
            f"({error_ratio(ratio, '$__range')})",
        ),
    ):
        board.panel(
            f"{slo.name}: {when}",
            f"The good share of the {text} Good: {target:.5g} or more, as promised. Bad: red.",
        ).number(
            "percentunit",
            f"1 - {query}",
            steps=green_from(target),
            decimals=2,
            no_value=_NO_TRAFFIC,
        )
    board.panel(
        f"{slo.name}: budget left",
        f"Of the errors that {window} may hold, what is left. Good: much of it near the end of the "
        "window. Bad: near zero: change nothing risky; below zero: the objective is missed.",
    ).number(
        "percentunit",
        f"1 - ({error_ratio(ratio, window)}) / {1 - target:.10g}",
        steps=((None, RED), (0, AMBER), (0.25, GREEN)),
        decimals=1,
        no_value=_NO_TRAFFIC,
    )
    board.panel(
        f"{slo.name}: burn rate",
        "How many times too fast the budget is used up; at 1 it lasts exactly for its window. "
        "Good: below 1. Bad: both a short and a long window above one of the lines: an alert "
        "fires, see the runbook ErrorBudgetBurnFast or -Slow.",
    ).lines(
        "none",
        {
            window: f"slo:sli_error:ratio_rate{window}{only} / slo:error_budget:ratio{only}"
            for window in ("5m", "30m", "1h", "6h", "3d")
        },
        limit=((None, GREEN), *((rate, RED) for rate in _BURNS)),
        width=12,
    )
    board.panel(
        f"{slo.name}: bad share",
        "Good: zero, or below the line, which is the budget. Bad: above it. Gaps are times without "
        "traffic, which say nothing.",
    ).lines(
        "percentunit",
        {window: f"slo:sli_error:ratio_rate{window}{only}" for window in ("5m", "1h", "6h")},
        limit=red_from(1 - target),
        width=6,
    )


def _mean(board: Board, slo: Slo) -> None:
    queries = {
        window: f'slo:sli_mean:seconds_rate{window}{{slo="{slo.name}"}}' for window in MEAN_WINDOWS
    }
    for window, query in queries.items():
        board.panel(
            f"{slo.name}: {window}",
            f"The mean of the last {window}. {slo.spec.description} Good: below {slo.bound:g} s. "
            "Bad: red; see the runbook LatencyHigh.",
        ).number("s", query, steps=red_from(slo.bound), no_value=_NO_TRAFFIC)
    board.panel(
        f"{slo.name}: over time",
        "Good: every window below the line. Bad: the short ones above it: messages wait now; the "
        "long one too: they have for hours.",
    ).lines("s", queries, limit=red_from(slo.bound), width=18)
