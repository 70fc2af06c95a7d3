"""Workers that come and go while a load runs, as its profile says."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from lab.errors import CannotRun, LabError
from lab.experiment.lab import Lab
from lab.substrates.abilities import Scalable
from lab.substrates.plan import Role
from lab.workload.profiles import Profile


class Conductor:
    """Scales the workers for one load; see `conducted`. Its methods return at once or raise."""

    def __init__(self, lab: Lab, profile: Profile) -> None:
        self._lab, self._profile = lab, profile
        self._usual = max(lab.plan.workers, 1)
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def prepare(self) -> None:
        """Let there be as many workers as the load wants at its beginning."""
        if self._profile.held:
            self._scale(0)
        for at, count in self._profile.workers[:1]:
            if at == 0:
                self._scale(count)

    def begin(self, at: float) -> None:
        """The load begins at `at`, in seconds since the epoch: change the workers in time."""
        steps = [(at + after, count) for after, count in self._profile.workers if after > 0]
        if steps:
            self._thread = threading.Thread(target=self._follow, args=(steps,), daemon=True)
            self._thread.start()

    def published(self) -> None:
        """Every message is published: let workers come that were held back."""
        if self._profile.held:
            self._scale(self._usual)

    def end(self) -> None:
        """Let there be as many workers as before."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        if self._profile.held or self._profile.workers:
            self._scale(self._usual)

    def _follow(self, steps: list[tuple[float, int]]) -> None:
        for at, count in steps:
            if self._over.wait(max(0.0, at - time.time())):
                return
            try:
                self._scale(count)
            except LabError as error:
                self._lab.ledger.doubt(f"the workers did not become {count}: {error}")
                return

    def _scale(self, count: int) -> None:
        place = self._lab.substrate
        if not isinstance(place, Scalable):
            raise CannotRun(
                f"this load needs workers that can be scaled, and {place.name!r} cannot scale them"
            )
        self._lab.history.write("scaled", role=Role.WORKER, count=count)
        place.scale(Role.WORKER, count)


@contextmanager
def conducted(lab: Lab, profile: Profile) -> Iterator[Conductor]:
    """Scale the workers for the block as `profile` says; afterwards there are as many as before.

    Raises:
        CannotRun: the profile wants it, and the substrate cannot scale.
        SubstrateError: a worker did not start or end.
    """
    conductor = Conductor(lab, profile)
    try:
        conductor.prepare()
        yield conductor
    finally:
        conductor.end()
