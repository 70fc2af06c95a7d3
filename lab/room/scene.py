"""What the control room knows of one moment, as values. None means "not known", and never 0."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.substrates.abilities import Breach
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints
from lab.top.snapshot import Number, Snapshot, total

HISTORY_S = 180.0
"""How far back the plots go."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the plots draw of one moment; `at` in seconds since the epoch."""

    at: float
    mean_s: Number = None
    p99_s: Number = None
    published: Number = None
    effects: Number = None


@dataclass(frozen=True, slots=True)
class Shade:
    """When something was broken on purpose; `until` is None while it is."""

    fault: str
    since: float
    until: float | None


@dataclass(frozen=True, slots=True)
class Scene:
    """A lab at one moment.

    Attributes:
        at: seconds since the epoch.
        phase: `starting`, `up`, or `gone`.
        since: when the lab began.
        endpoints, plan: once it is up.
        snapshot: None if Prometheus could not be asked; `trouble` says why.
        breaches: what the keeper holds.
        points, shades: the last minutes, oldest first.
    """

    at: float
    phase: str
    since: float = 0.0
    endpoints: Endpoints | None = None
    plan: Plan | None = None
    snapshot: Snapshot | None = None
    trouble: str = ""
    breaches: Sequence[Breach] = ()
    points: Sequence[Point] = ()
    shades: Sequence[Shade] = ()

    @property
    def faults(self) -> list[str]:
        """Every fault at work by its name: those of the keeper, and those that runs report."""
        reported = (self.snapshot.faults or ()) if self.snapshot else ()
        return sorted({*(breach.fault for breach in self.breaches), *reported})


@dataclass
class History:
    """The last minutes, bounded by time."""

    _points: deque[Point] = field(default_factory=deque)
    _shades: list[Shade] = field(default_factory=list)

    def begin(self, points: Sequence[Point]) -> None:
        """Begin with what others recorded."""
        self._points = deque(points)

    def remember(self, at: float, snapshot: Snapshot | None, faults: Sequence[str]) -> None:
        """Add a moment, and drop what is too old. Without a snapshot the curves have a gap."""
        point = Point(at)
        if snapshot is not None:
            point = Point(
                at, snapshot.mean_s, snapshot.p99_s, snapshot.received, total(snapshot.effects)
            )
        self._points.append(point)
        while self._points and self._points[0].at < at - HISTORY_S:
            self._points.popleft()
        known = {shade.fault for shade in self._shades if shade.until is None}
        ended = [
            shade if shade.until is not None or shade.fault in faults
            else Shade(shade.fault, shade.since, at)
            for shade in self._shades
        ]  # fmt: skip
        begun = [Shade(fault, at, None) for fault in faults if fault not in known]
        self._shades = [
            shade
            for shade in (*ended, *begun)
            if shade.until is None or shade.until > at - HISTORY_S
        ]

    @property
    def points(self) -> tuple[Point, ...]:
        """What is drawn as curves."""
        return tuple(self._points)

    @property
    def shades(self) -> tuple[Shade, ...]:
        """What is shaded behind them."""
        return tuple(self._shades)
