"""From objectives to rules: recorded ratios, and alerts on how fast the error budget burns. Pure.

A budget that burns at rate 1 lasts exactly as long as the objective's window. An alert requires a
long window, so that the rate is significant, and a short one, so that it ends soon after its cause
(Google's SRE workbook, chapter 5):

    page    burns 14.4 times too fast over 1h and 5m, or 6 times over 6h and 30m
    ticket  burns 3 times too fast over 1d and 2h, or exactly as fast as allowed over 3d and 6h

Four pitfalls, and what is done about each:

    no failure yet, so no series of failures   counts as 0: `or vector(0)`
    no traffic, so 0/0                         no ratio is recorded: `> 0` on the total
    little traffic, so one failure is much     no alert below EVENTS_MIN in the long window
    no traffic at all is no good news          the alert NoTraffic, in alerts.yaml
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from lab.slo.spec import Mean, Ratio, Slo

Rules = list[dict[str, Any]]

EVENTS_MIN = 100
"""In the long window. With fewer, a single failure would be a page by itself."""

WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")
MEAN_WINDOWS = ("5m", "1h", "6h")


class Burn(NamedTuple):
    """How fast a budget may burn at most, over a long and a short window."""

    long: str
    short: str
    rate: float


class Severity(NamedTuple):
    """An alert: its severity, and the burn rates at which it fires."""

    alert: str
    name: str
    burns: tuple[Burn, ...]
    when: str


SEVERITIES = (
    Severity(
        "ErrorBudgetBurnFast",
        "page",
        (Burn("1h", "5m", 14.4), Burn("6h", "30m", 6.0)),
        "within days",
    ),
    Severity(
        "ErrorBudgetBurnSlow",
        "ticket",
        (Burn("1d", "2h", 3.0), Burn("3d", "6h", 1.0)),
        "before the window ends",
    ),
)
LATENCY_ALERT = "LatencyHigh"


def rules(slos: Sequence[Slo]) -> dict[str, Any]:
    """The content of Prometheus' rules file for the given objectives.

    Recorded, with the labels `slo` and `service`:

        slo:sli_error:ratio_rate<window>   the share of bad events; none without traffic
        slo:sli_events:increase<window>    the number of events behind that share
        slo:sli_mean:seconds_rate<window>  for an objective on a mean: the mean
        slo:objective:ratio                the goal of a ratio; slo:error_budget:ratio is 1 minus it
        slo:objective:seconds              the bound of a mean
    """
    groups: Rules = []
    for slo in slos:
        if slo.mean is not None:
            recorded, alerts = _mean(slo, slo.mean)
        elif slo.ratio is not None:
            recorded, alerts = _ratio(slo, slo.ratio)
        groups.append({"name": f"slo-{slo.name}-recorded", "rules": recorded})
        groups.append({"name": f"slo-{slo.name}-alerts", "rules": alerts})
    return {"groups": groups}


def _ratio(slo: Slo, ratio: Ratio) -> tuple[Rules, Rules]:
    target = slo.goal.target
    recorded = [
        _record(slo, "slo:objective:ratio", f"vector({target:g})"),
        _record(slo, "slo:error_budget:ratio", f"vector({_budget(target)})"),
    ]
    for window in WINDOWS:
        recorded += [
            _record(slo, f"slo:sli_error:ratio_rate{window}", error_ratio(ratio, window)),
            _events(slo, ratio.total, window),
        ]
    return recorded, [_burning(slo, severity) for severity in SEVERITIES]


def _mean(slo: Slo, mean: Mean) -> tuple[Rules, Rules]:
    recorded = [_record(slo, "slo:objective:seconds", f"vector({slo.bound:g})")]
    for window in MEAN_WINDOWS:
        summed, counted = (_added("rate", counters, window) for counters in (mean.sum, mean.count))
        recorded += [
            _record(slo, f"slo:sli_mean:seconds_rate{window}", f"{summed}\n/\n({counted} > 0)"),
            _events(slo, mean.count, window),
        ]
    return recorded, [_slow(slo, "page", ("1h", "5m")), _slow(slo, "ticket", ("6h",))]


def error_ratio(ratio: Ratio, window: str) -> str:
    """The share of bad events over a window, as PromQL; no value if there was no event."""
    total = _added("rate", ratio.total, window)
    bad = _added("rate", ratio.bad, window) if ratio.bad else ""
    return f"{bad or '1 - ' + _added('rate', ratio.good, window)}\n/\n({total} > 0)"


def _events(slo: Slo, counters: Sequence[str], window: str) -> dict[str, Any]:
    return _record(slo, f"slo:sli_events:increase{window}", _added("increase", counters, window))


def _added(function: str, counters: Sequence[str], window: str) -> str:
    """The sum over counters; one that has no series yet counts as 0."""
    parts = [f"(sum({function}({each}[{window}])) or vector(0))" for each in counters]
    return "\n+ ".join(parts) if len(parts) == 1 else "(" + "\n+ ".join(parts) + ")"


def _record(slo: Slo, name: str, expression: str) -> dict[str, Any]:
    labels = {"slo": slo.name, "service": slo.spec.service}
    return {"record": name, "expr": expression, "labels": labels}


def _burning(slo: Slo, severity: Severity) -> dict[str, Any]:
    budget = _budget(slo.goal.target)
    only = f'{{slo="{slo.name}"}}'
    each = [
        f"(\n  slo:sli_error:ratio_rate{burn.long}{only} > {burn.rate:g} * {budget}\n"
        f"  and slo:sli_error:ratio_rate{burn.short}{only} > {burn.rate:g} * {budget}\n"
        f"  and slo:sli_events:increase{burn.long}{only} >= {EVENTS_MIN}\n)"
        for burn in severity.burns
    ]
    return _alert(
        slo,
        severity.alert,
        "\nor\n".join(each),
        severity.name,
        f"The error budget of {slo.name} will be gone {severity.when}",
        f"{{{{ $value | humanizePercentage }}}} of the events are bad over the long window; the "
        f"objective is: {slo.goal.displayName}.",
    )


def _slow(slo: Slo, severity: str, windows: tuple[str, ...]) -> dict[str, Any]:
    only = f'{{slo="{slo.name}"}}'
    parts = [f"slo:sli_mean:seconds_rate{window}{only} > {slo.bound:g}" for window in windows]
    parts.append(f"slo:sli_events:increase{windows[0]}{only} >= {EVENTS_MIN}")
    return _alert(
        slo,
        LATENCY_ALERT,
        "\nand ".join(parts),
        severity,
        f"Messages take longer than they may ({slo.name})",
        f"Over {windows[0]} the mean from publish to the end was "
        f"{{{{ $value | humanizeDuration }}}}; the objective is: {slo.goal.displayName}.",
    )


def _alert(
    slo: Slo, name: str, expression: str, severity: str, summary: str, text: str
) -> dict[str, Any]:
    return {
        "alert": name,
        "expr": expression,
        "labels": {"severity": severity, "component": "slo", "slo": slo.name},
        "annotations": {
            "summary": summary,
            "description": text,
            "runbook_url": f"docs/runbooks/{name}.md",
        },
    }


def _budget(target: float) -> str:
    """1 minus the target, as people write it: 0.001, not 0.0010000000000000009."""
    return f"{1 - target:.10g}"
