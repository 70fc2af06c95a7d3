"""What `python -m load.capacity` prints. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterator

from load.capacity import forecast, model, queueing
from load.capacity.forecast import FEEDS, Forecast
from load.capacity.measure import USUAL, Measured

GOAL_MS = 500.0
"""The objective of the mean latency."""


def lines(measured: Measured, target_per_s: float) -> Iterator[str]:
    """The page, as Markdown."""
    fitted = model.law(measured)
    yield f"**How throughput grows with workers** ({measured.sink} sink, {measured.cores} cores)"
    yield ""
    yield "| workers | measured, messages/s | by the law |"
    yield "|---|---|---|"
    for point in measured.points:
        law = fitted.throughput(point.workers)
        yield f"| {point.workers} | {point.per_s:,.0f} | {law:,.0f} |"
    yield ""
    yield (
        f"One worker takes {fitted.per_worker:,.0f} messages a second; contention "
        f"{fitted.contention:.3f}, coherency {fitted.coherency:.4f}. {_best(fitted.best_workers)}"
        f" It never exceeds {fitted.limit_per_s:,.0f}/s here."
    )
    yield f"For {target_per_s:,.0f}/s: {_workers(fitted.workers_for(target_per_s))}."
    usual = fitted.throughput(USUAL)
    rate = queueing.largest_rate(usual, measured.alone_ms, model.wait_ms(measured), GOAL_MS)
    yield (
        f"{USUAL} workers keep a mean latency of {GOAL_MS:g} ms up to {rate:,.0f}/s,"
        f" {rate / usual:.0%} of what they take."
    )
    yield ""
    yield "**Predicted, then measured** (by runs that the fit has not seen)"
    yield ""
    yield "| | predicted | measured | off by | |"
    yield "|---|---|---|---|---|"
    for each in model.predictions(measured):
        holds = "holds" if each.holds else f"wrong: more than {model.TOLERANCE:.0%}"
        yield (
            f"| {each.what} | {each.predicted:,.1f} {each.unit} | {each.measured:,.1f} "
            f"{each.unit} | {each.error:+.0%} | {holds} |"
        )
    yield ""
    yield from _feeds(measured, usual)


def _feeds(measured: Measured, takes_per_s: float) -> Iterator[str]:
    cpu_us = model.costs(measured)
    first, per_s = forecast.gives_first(cpu_us, measured.cores)
    yield f"**Larger feeds** (a message costs {sum(cpu_us.values()):,.0f} µs of processor time)"
    yield ""
    yield f"On this machine {first} would be the first to be fully busy, at {per_s:,.0f}/s."
    yield ""
    yield "| feed | messages/s | cores busy | a burst lasts | a backlog lasts | gives first |"
    yield "|---|---|---|---|---|---|"
    for each in forecasts(measured, takes_per_s):
        feed = each.feed
        yield (
            f"| {feed.name} | {feed.per_s:,.4g} | {each.cores:,.2g} "
            f"| {feed.burst:,}: {_time(each.burst_s)} | {feed.backlog:,}: {_time(each.backlog_s)} "
            f"| {each.first.role if each.first else 'nothing: one of each is enough'} |"
        )
    yield ""
    yield f"At {FEEDS[-1].per_s:,.0f} messages a second:"
    yield ""
    yield "| part | cores | of it | more of it | after that |"
    yield "|---|---|---|---|---|"
    for need in forecast.forecast(FEEDS[-1], cpu_us, takes_per_s).needs:
        yield (
            f"| {need.part.role} | {need.cores:.2f} | {need.instances} "
            f"| {need.part.more or '-'} | {need.part.instead} |"
        )


def forecasts(measured: Measured, takes_per_s: float) -> list[Forecast]:
    """Of every feed."""
    cpu_us = model.costs(measured)
    return [forecast.forecast(feed, cpu_us, takes_per_s) for feed in FEEDS]


def _best(workers: int | None) -> str:
    if workers is None:
        return "Each more worker is a gain, if a small one."
    return f"It takes most with {workers}: more of them only disturb each other."


def _workers(count: int | None) -> str:
    if count is None:
        return "no number of workers is enough on this machine"
    return f"{count} worker{'s' if count > 1 else ''}"


def _time(seconds: float) -> str:
    if not math.isfinite(seconds):
        return "for ever, for more comes than is taken"
    if seconds < 100:
        return f"{seconds:.2g} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
