"""The hunt: rounds until the time is over, and a schedule that failed made small."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path

from lab.checker.verdict import Verdict
from lab.errors import LabError
from lab.experiment.runs import RUNS
from lab.faults import registry
from lab.faults.drawing import Bounds, draw
from lab.faults.registry import Fault
from lab.faults.schedule import write
from lab.hunts import round as rounds
from lab.hunts import show
from lab.hunts.round import PLAN, RATE_PER_S, Outcome, Sabotage, Trial
from lab.hunts.shrink import Schedule, shrink
from lab.substrates.protocol import Substrate
from lab.substrates.provider import Pools, Provider, Say
from lab.wait import stopwatch

LABS = Path(".lab")
ROUNDS_MAX = 1000
"""A hunt has fewer. Each has a seed of its own, made of that of the hunt and its number."""
AGAIN_MAX = 3
"""How often a schedule that failed is tried again, until it fails a second time."""
TIMES = 3
"""A smaller schedule has to fail so often in a row, so that its command is likely to do so, too."""
TRIES_MAX = 40
SHRINK_S = 900.0
"""No try begins after so long."""
NOT_UP_MAX = 3
"""After so many labs in a row that did not come up, there is no point in another one."""


@dataclass
class Hunt:
    """Where and how rounds are made.

    Attributes:
        provider: opens the lab of each round.
        say: called with each line for people.
        busy: shows what is under way, for the block.
        going_on: goes on after a schedule that failed; else the hunt ends with it.
        outcomes: of all rounds so far, without the tries of shrinking.
        smallest: of each schedule that failed, what was left of it.
    """

    provider: Provider
    say: Say
    per_s: float = RATE_PER_S
    sabotage: Sabotage | None = None
    going_on: bool = False
    base: Path = LABS
    runs: Path = RUNS
    busy: Callable[[str], AbstractContextManager[object]] = nullcontext
    outcomes: list[Outcome] = field(default_factory=list)
    smallest: list[Outcome] = field(default_factory=list)
    _labs: int = 0

    def for_minutes(self, minutes: float, seed: int) -> Verdict:
        """Make rounds until the time is over, and what has begun then; say how it went."""
        possible = self._possible()
        with stopwatch() as seconds:
            try:
                for number in range(1, ROUNDS_MAX):
                    if seconds() >= 60 * minutes or self._is_over():
                        break
                    own_seed = seed * ROUNDS_MAX + number
                    drawn = draw(own_seed, possible, Bounds(workers=PLAN["workers"]))
                    outcome = self.replay(drawn, own_seed)
                    self.say(show.line(f"{number:>3}", outcome))
                    if outcome.verdict is Verdict.INVALID:
                        self.smallest.append(self._shrunk(outcome))
            finally:  # also for who interrupts it
                for text in show.summary(self.outcomes, self.smallest, seconds()):
                    self.say(text)
        return show.verdict_of(self.outcomes)

    def replay(self, drawn: Schedule, seed: int) -> Outcome:
        """Make one round with this schedule."""
        outcome = self.make(self._trial(seed, drawn))
        self.outcomes.append(outcome)
        return outcome

    def make(self, trial: Trial) -> Outcome:
        """One round. A lab that does not come up, or ends early, has decided nothing."""
        with stopwatch() as seconds:
            try:
                with self.busy(f"  … {write(trial.schedule)}"), self._opened() as place:
                    return rounds.run(place, trial, self.runs)
            except LabError as error:
                return Outcome(trial, Verdict.UNKNOWN, str(error), seconds())

    def _possible(self) -> dict[str, Fault]:
        """The faults that the substrate can do."""
        with self._opened() as place:
            known = registry.known()
            return {name: each for name, each in known.items() if each.lacking(place) is None}

    def _is_over(self) -> bool:
        """Whether there is a reason to end before the time is over."""
        last = self.outcomes[-NOT_UP_MAX:]
        never_up = len(last) == NOT_UP_MAX and all(each.folder is None for each in last)
        return never_up or bool(self.smallest and not self.going_on)

    def _trial(self, seed: int, drawn: Schedule) -> Trial:
        return Trial(seed, drawn, self.per_s, self.sabotage)

    def _shrunk(self, outcome: Outcome) -> Outcome:
        """The smallest schedule that failed again and again, or the outcome itself."""
        self.say(f"     because {outcome.why}")
        self.say("     Trying it again, and then smaller ones:")
        tries = _Tries(self, outcome.trial)
        if not any(tries.fails(outcome.trial.schedule, 1) for _ in range(AGAIN_MAX)):
            self.say("     It did not fail again: it takes luck, too. The run's folder has it all.")
            return outcome
        shrink(outcome.trial.schedule, tries.fails)
        return tries.failed or outcome

    @contextmanager
    def _opened(self) -> Iterator[Substrate]:
        self._labs += 1
        with self.provider.opened(f"hunt-{os.getpid()}-{self._labs}", self.base) as place:
            yield place


class _Tries:
    """The tries of shrinking, which have an end.

    Attributes:
        failed: the last schedule that failed as often as it was asked to.
    """

    def __init__(self, hunt: Hunt, trial: Trial) -> None:
        self.failed: Outcome | None = None
        self._hunt, self._trial = hunt, trial
        self._left, self._begun = TRIES_MAX, time.monotonic()

    def fails(self, candidate: Schedule, times: int = TIMES) -> bool | None:
        """Whether it fails so many times, each time; None if no more can be tried."""
        for _ in range(times):
            if not self._left or time.monotonic() - self._begun > SHRINK_S:
                self._hunt.say("     No more tries: that was enough.")
                return None
            self._left -= 1
            tried = self._hunt.make(replace(self._trial, schedule=candidate))
            self._hunt.say(show.line("  -", tried))
            if tried.verdict is not Verdict.INVALID:
                return False
        self.failed = tried
        return True


@contextmanager
def pooled(provider: Provider, base: Path = LABS) -> Iterator[Provider]:
    """The provider whose labs start sooner one after the other, if it has such a one."""
    if isinstance(provider, Pools):
        with provider.pooled(base) as faster:
            yield faster
    else:
        yield provider
