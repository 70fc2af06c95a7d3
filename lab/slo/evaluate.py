"""Evaluates objectives: from counters over a window to met, violated or unknown. Pure.

Increases are exact differences of the scraped values, not Prometheus' `increase()`, which estimates
what happened before the first and after the last sample: over a short run that estimate adds a
third of a message here and there, and a ledger counts whole messages. A counter that falls was
reset to 0. If the scrapes reach back to the beginning of everything, as in a lab, a counter that
first appears inside the window has counted from 0, though its first sample may be higher.

What could not be observed is unknown: a counter that is not scraped, scrapes that ended early, have
a gap, or do not reach back to the window's beginning, and a window without a message.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import pairwise

from lab.clients.prometheus.results import Series
from lab.slo.spec import Mean, Ratio, Slo

SHORTEST_S = 10.0
"""A shorter window is not evaluated."""
GAP_S = 60.0
"""The longest time without a scrape of a counter; or a hundredth of the window, if that is more."""


class SloState(StrEnum):
    """Whether an objective is met."""

    MET = "met"
    VIOLATED = "violated"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class EvaluationWindow:
    """The time over which objectives are evaluated.

    Attributes:
        begin, end: seconds since the epoch.
        step_s: between two points of the series.
        fresh_s: how long before the end the last scrape may be.
        from_zero: the scrapes reach back to when every counter was 0.
    """

    begin: float
    end: float
    step_s: float
    fresh_s: float
    from_zero: bool

    @property
    def length_s(self) -> float:
        """Its length, in seconds."""
        return self.end - self.begin


@dataclass(frozen=True, slots=True)
class CounterSamples:
    """The samples of one counter in the window.

    Attributes:
        series: its values. Prometheus fills pauses between scrapes, up to five minutes.
        moments: when it was really scraped, seconds since the epoch.
    """

    series: Sequence[Series] = ()
    moments: Sequence[float] = ()


@dataclass(frozen=True, slots=True)
class SloResult:
    """The result of one objective.

    Attributes:
        objective: its name.
        goal: in words.
        value: the share of good events, or the mean in seconds; None if unknown.
        unit: `ratio` or `seconds`.
        budget_left: the part of the error budget that is left, or of the bound for a mean;
            negative if more was used than there is.
        burn_rate: 1 uses the budget up exactly when the window ends.
        events: the number of events counted.
        because: why it is unknown, else empty.
    """

    objective: str
    goal: str
    verdict: SloState
    unit: str
    value: float | None = None
    budget_left: float | None = None
    burn_rate: float | None = None
    events: float = 0
    because: str = ""


NO_TRAFFIC = "no message was counted in the window"


class _Unknown(Exception):  # noqa: N818 - it is no error, it ends the evaluation of one objective
    """The samples do not suffice. The text says why."""


def overall(judgements: Sequence[SloResult]) -> SloState:
    """The state of all together: violated if one is, else unknown if one is, else met."""
    given = {result.verdict for result in judgements}
    if SloState.VIOLATED in given:
        return SloState.VIOLATED
    return SloState.MET if given == {SloState.MET} else SloState.UNKNOWN


def counters(slos: Sequence[Slo]) -> list[str]:
    """Every selector that the objectives use, each once."""
    found: list[str] = []
    for slo in slos:
        if slo.mean is not None:
            found += [*slo.mean.sum, *slo.mean.count]
        if slo.ratio is not None:
            found += [*slo.ratio.good, *slo.ratio.bad, *slo.ratio.total]
    return list(dict.fromkeys(found))


def evaluate_slo(
    slo: Slo, samples: Mapping[str, CounterSamples], window: EvaluationWindow
) -> SloResult:
    """Evaluate one objective.

    Args:
        slo: the objective.
        samples: of each of its counters, by selector.
        window: the time to evaluate.
    """
    if window.length_s < SHORTEST_S:
        return unknown(slo, f"a window of {window.length_s:.0f} s is too short")
    try:
        if slo.mean is not None:
            used, events, value = _mean(slo.mean, slo.bound, samples, window)
            kept = used < 1
        elif slo.ratio is not None:
            used, events, value = _ratio(slo.ratio, slo.goal.target, samples, window)
            kept = used <= 1
    except _Unknown as why:
        return unknown(slo, str(why))
    verdict = SloState.MET if kept else SloState.VIOLATED
    return SloResult(
        slo.name, slo.goal.displayName, verdict, _unit(slo), value, 1 - used, used, events
    )


def unknown(slo: Slo, because: str) -> SloResult:
    """The result if nothing could be observed."""
    return SloResult(slo.name, slo.goal.displayName, SloState.UNKNOWN, _unit(slo), because=because)


def _unit(slo: Slo) -> str:
    return "seconds" if slo.mean else "ratio"


def _ratio(
    ratio: Ratio, target: float, samples: Mapping[str, CounterSamples], window: EvaluationWindow
) -> tuple[float, float, float]:
    """The part of the budget that was used, the number of events, the share of good ones."""
    total, good, bad = (
        _added(counters, samples, window) for counters in (ratio.total, ratio.good, ratio.bad)
    )
    if total <= 0:
        raise _Unknown(NO_TRAFFIC)
    share = (bad if ratio.bad else total - good) / total
    # Rounded, because 1 - 0.9 is a little less than 0.1: using up exactly the budget meets it.
    return share / round(1 - target, 12), total, 1 - share


def _mean(
    mean: Mean, bound: float, samples: Mapping[str, CounterSamples], window: EvaluationWindow
) -> tuple[float, float, float]:
    """The part of the bound that was used, the number of events, their mean."""
    count, summed = (_added(counters, samples, window) for counters in (mean.count, mean.sum))
    if count <= 0:
        raise _Unknown(NO_TRAFFIC)
    return summed / count / bound, count, summed / count


def _added(
    selectors: Sequence[str], samples: Mapping[str, CounterSamples], window: EvaluationWindow
) -> float:
    for selector in selectors:
        _require_complete_samples(selector, samples.get(selector, CounterSamples()), window)
    return sum(
        increase(series, window) for selector in selectors for series in samples[selector].series
    )


def increase(series: Series, window: EvaluationWindow) -> float:
    """By how much a counter grew in the window, according to its samples."""
    first_at, before = series.points[0]
    born_inside = first_at > window.begin + window.step_s / 2
    grown = before if born_inside and window.from_zero else 0.0
    for _, value in series.points[1:]:
        grown += value - before if value >= before else value
        before = value
    return grown


def _require_complete_samples(
    selector: str, look: CounterSamples, window: EvaluationWindow
) -> None:
    moments = sorted(set(look.moments))
    if not look.series or not moments:
        raise _Unknown(f"there is no {selector}: the process that counts it was not scraped")
    if window.end - moments[-1] > window.fresh_s:
        raise _Unknown(f"{selector} was last seen {window.end - moments[-1]:.0f} s before the end")
    late = moments[0] - window.begin
    if not window.from_zero and late > max(window.fresh_s, 2 * window.step_s):
        raise _Unknown(f"{selector} was first seen {late:.0f} s after the window's beginning")
    widest = max((b - a for a, b in pairwise(moments)), default=0.0)
    if widest > max(GAP_S, window.length_s / 100, 2 * window.step_s):
        raise _Unknown(f"{selector} was not scraped for {widest:.0f} s in between")
