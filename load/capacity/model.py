"""From what was measured to what can be said: the law, its predictions, and how good they are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from load.capacity import queueing, usl
from load.capacity.measure import USUAL, Measured
from load.capacity.usl import Usl

TOLERANCE = 0.25
"""By how much a prediction may be wrong. Turns of one kind differ by a tenth on a quiet machine."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """Something that was predicted and then measured, in a run that the fit has not seen.

    Attributes:
        bound: it is no estimate but a bound: what is measured may be as far below as it likes.
    """

    what: str
    unit: str
    predicted: float
    measured: float
    bound: bool = False

    @property
    def error(self) -> float:
        """How far what was measured is from what was predicted, as a share of the latter."""
        return self.measured / self.predicted - 1

    @property
    def holds(self) -> bool:
        """Whether it is near enough."""
        if not math.isfinite(self.predicted):
            return False
        return self.error <= TOLERANCE and (self.bound or self.error >= -TOLERANCE)


def law(measured: Measured) -> Usl:
    """The law that the points say."""
    return usl.fit([(point.workers, point.per_s) for point in measured.points])


def wait_ms(measured: Measured) -> float:
    """What is waited at half the rate that the usual number of workers take."""
    return queueing.wait_ms(
        measured.busy_per_s, law(measured).throughput(USUAL), measured.busy_ms, measured.alone_ms
    )


def predictions(measured: Measured) -> list[Prediction]:
    """What the law and the queue say of the runs that were not used for the fit."""
    fitted = law(measured)
    usual = fitted.throughput(USUAL)
    longer, unseen = measured.longer, measured.unseen
    return [
        Prediction(
            f"throughput of {unseen.workers} workers",
            "messages/s",
            fitted.throughput(unseen.workers),
            unseen.per_s,
        ),
        Prediction(
            f"drain time of {longer.messages:,} messages by {longer.workers} workers",
            "s",
            queueing.drain_s(longer.messages, usual),
            longer.messages / longer.per_s,
        ),
        Prediction(
            f"mean latency at {measured.light_per_s:,.0f}/s, at most",
            "ms",
            queueing.mean_ms(measured.light_per_s, usual, measured.alone_ms, wait_ms(measured)),
            measured.light_ms,
            bound=True,
        ),
    ]


def costs(measured: Measured) -> Mapping[str, float]:
    """Microseconds of processor time per message, by role, with the usual number of workers."""
    return next(point.cpu_us for point in measured.points if point.workers == USUAL)
