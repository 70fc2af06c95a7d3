"""What the providers of labs on an engine and on a cluster have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lab.errors import LabError
from lab.substrates.containers.contained import Contained
from lab.substrates.containers.identity import identity
from lab.substrates.containers.leftovers import Leftovers, none_left
from lab.substrates.local import cleaning, keeper
from lab.substrates.local.instance import Instance
from lab.substrates.protocol import Substrate
from lab.substrates.provider import Say, silent


class ContainersProvider(ABC):
    """Labs that end with the process that opened them.

    Attributes:
        place: what such labs keep on this machine: a lock, a state, logs. No lab of processes has
            this name.
    """

    place: Path
    leftovers: Leftovers

    @abstractmethod
    def make(self, instance: Instance, say: Say) -> Contained[Any]:
        """A lab, not up yet."""

    @abstractmethod
    def need(self) -> None:
        """Do nothing if labs can run.

        Raises:
            CannotRun: they cannot; says what to do.
        """

    @contextmanager
    def opened(self, lab: str, base: Path, say: Say = silent) -> Iterator[Contained[Any]]:
        """A lab of this process."""
        instance = Instance.named(lab, base)
        self.need()
        made = self.make(instance, say)
        with keeper.in_process(instance), none_left(instance, self.leftovers):
            try:
                yield made
            finally:
                made.down()

    def sweep(self) -> list[str]:
        """Remove what dead labs of this machine and user have left there."""
        self.need()
        cleaning.sweep_dead(self.place)
        return self.leftovers.sweep()

    def guarded(self, lab: str, work: Callable[[Substrate], int], say: Say = silent) -> int:
        """Run `work` in a child process of which nothing is left in the end."""
        instance = Instance.named(lab, self.place)
        for name in self.sweep():
            say(f"removed what the dead lab {name!r} had left")

        def guarded_work() -> int:
            with none_left(instance, self.leftovers):
                return work(self.make(instance, say))

        try:
            return keeper.run_guarded(guarded_work, instance)
        finally:
            with suppress(LabError):  # the work was killed; what resists is swept by the next lab
                self.leftovers.remove(identity(instance))
