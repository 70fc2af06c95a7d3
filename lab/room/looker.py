"""Looks at a lab: its state, its Prometheus, what is broken. The only part that asks the lab."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import replace

from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.errors import LabError
from lab.experiment.work import JOINING
from lab.monitoring import metrics
from lab.monitoring.metrics import LATENCY, TOOK_EFFECT
from lab.paths import fresh_lab_command
from lab.room.scene import HISTORY_S, History, Point, Scene
from lab.substrates.abilities import Shared
from lab.substrates.plan import Plan
from lab.substrates.provider import Keeps
from lab.top.collect import LATELY, WINDOW, take_snapshot
from lab.top.snapshot import Snapshot

READ_S = 3.0
"""For an answer; a picture that waits longer is no live one."""
STEP_S = 2.0
STALE_S = 15.0
"""After such a gap between two looks, the past is read from Prometheus again."""
UNWATCHED = "it runs without monitoring, so nothing counts; `{}` starts one that has it"
_PAST = {
    "mean_s": metrics.mean(LATENCY, window=LATELY),
    "p99_s": metrics.quantile(0.99, LATENCY, window=LATELY),
    "published": metrics.rate("rabbitmq_global_messages_received_total", window=WINDOW),
    "effects": metrics.rate(TOOK_EFFECT, window=WINDOW),
}


class Looker:
    """Looks at one lab, again and again. For one thread at a time."""

    def __init__(self, name: str, provider: Keeps, *, joins: bool) -> None:
        """Prepare; asks nothing yet. `joins`: it may join the lab, to know what runs there."""
        self._name, self._provider, self._joins = name, provider, joins
        self._history = History()
        self._prometheus: Prometheus | None = None
        self._plan: Plan | None = None
        self._looked = 0.0

    def look(self) -> Scene:
        """The lab as it is now. What cannot be known is left open, and said why."""
        now = time.time()
        kept = next((lab for lab in self._provider.labs() if lab.name == self._name), None)
        if kept is None:
            return Scene(now, "gone")
        if kept.endpoints is None:
            return Scene(now, "starting", kept.since)
        snapshot, trouble = self._ask(kept.endpoints.prometheus_url, now)
        scene = Scene(
            now, "up", kept.since, kept.endpoints, self._planned(), snapshot, trouble, kept.breaches
        )
        self._history.remember(now, snapshot, scene.faults)
        self._looked = now
        return replace(scene, points=self._history.points, shades=self._history.shades)

    def close(self) -> None:
        """Close the connection, if there is one."""
        if self._prometheus is not None:
            self._prometheus.close()

    def _ask(self, url: str | None, now: float) -> tuple[Snapshot | None, str]:
        if url is None:
            return None, UNWATCHED.format(fresh_lab_command("up"))
        if self._prometheus is None or self._prometheus.url != url:
            self._prometheus = Prometheus(url, read_s=READ_S, total_s=READ_S)
        try:
            if now - self._looked > STALE_S:
                self._history.begin(past(self._prometheus, now))
            return take_snapshot(self._prometheus), ""
        except NoData as error:
            return None, f"Prometheus cannot be asked: {error}"

    def _planned(self) -> Plan | None:
        """What runs there; asked once."""
        if self._plan is None and self._joins:
            place = self._provider.attach(self._name)
            if isinstance(place, Shared):
                try:
                    place.up(JOINING)
                    self._plan = place.kept_plan()
                except LabError:
                    return None  # it has no keeper that takes guests, or it goes down
                finally:
                    place.down()
        return self._plan


def past(prometheus: Prometheus, now: float) -> Sequence[Point]:
    """What the plots draw of the time before the first look.

    Raises:
        NoData: Prometheus does not answer.
    """
    begin = now - HISTORY_S
    moments = [begin + STEP_S * step for step in range(int(HISTORY_S / STEP_S))]
    found: list[dict[str, float]] = [{} for _ in moments]
    for name, query in _PAST.items():
        for series in prometheus.range(query, moments[0], moments[-1], STEP_S):
            for at, value in series.points:
                place = round((at - begin) / STEP_S)
                if 0 <= place < len(found) and math.isfinite(value):
                    found[place][name] = value
    return [Point(at, **values) for at, values in zip(moments, found, strict=True)]
