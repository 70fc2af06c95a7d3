"""One round of a hunt: a lab, load, a schedule of faults, cure, settle, audit."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.experiment.lab import Lab
from lab.experiment.plan import make_plan
from lab.experiment.session import session
from lab.faults.schedule import Planned, write
from lab.hunts.striking import strike
from lab.report import conclude
from lab.substrates.plan import Link
from lab.substrates.protocol import Substrate
from lab.wait import stopwatch
from lab.workload.profiles import Profile

PLAN: Mapping[str, Any] = {"matches": 40, "workers": 2, "relayed": frozenset(Link)}
"""What is started; every link can be broken."""
OBJECTIVES = {LATENCY_MEAN: None}
"""Under faults messages are late; what is asked for is that all of them arrive."""
REPLAY_FILE = "replay.txt"
RATE_PER_S = 200.0
MARGIN_S = 1.0
"""The load begins so long before the schedule, and ends so long after its last cure."""


@dataclass(frozen=True, slots=True)
class Sabotage:
    """A defect that is planted on purpose.

    Attributes:
        name: as the command line has it.
        plan: arguments of `make_plan`.
    """

    name: str
    plan: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trial:
    """What one round does; the same trial can be made again.

    Attributes:
        seed: of the messages and all else that is drawn, but the schedule.
        per_s: messages a second.
    """

    seed: int
    schedule: tuple[Planned, ...]
    per_s: float = RATE_PER_S
    sabotage: Sabotage | None = None

    @property
    def command(self) -> str:
        """What makes it again."""
        words = ["lab", "hunt", "--replay", write(self.schedule), "--seed", str(self.seed)]
        if self.per_s != RATE_PER_S:
            words += ["--rate", f"{self.per_s:g}"]
        if self.sabotage is not None:
            words += ["--sabotage", self.sabotage.name]
        return shlex.join(words)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one round.

    Attributes:
        verdict: of its run; unknown, too, if the lab did not come up.
        why: one line.
        seconds: all that it took, starting and ending included.
        folder: of the run; None if there is none.
    """

    trial: Trial
    verdict: Verdict
    why: str
    seconds: float
    messages: int = 0
    folder: Path | None = None
    audit: Audit | None = field(default=None, repr=False)


def play(lab: Lab, schedule: Sequence[Planned], per_s: float = RATE_PER_S) -> None:
    """Put load on a lab and strike a schedule, until all is cured."""
    profile = Profile(f"{per_s:g} a second, while faults strike", ((10.0, per_s),))
    with lab.checking("the load was offered"), lab.load(profile):
        lab.run_for(MARGIN_S)
        strike(lab, schedule)
        lab.run_for(MARGIN_S)


def run(place: Substrate, trial: Trial, runs: Path) -> Outcome:
    """Make one trial on a substrate of its own; leaves the folder of a run.

    Raises:
        LabError: the lab did not come up.
    """
    plan = make_plan(seed=trial.seed, **{**PLAN, **(trial.sabotage.plan if trial.sabotage else {})})
    with stopwatch() as seconds:
        name = f"hunt-{trial.seed}"
        with session(name, place, plan, runs=runs, objectives=OBJECTIVES) as lab:
            folder = lab.folder
            (folder / REPLAY_FILE).write_text(trial.command + "\n", "utf-8")
            play(lab, trial.schedule, trial.per_s)
            lab.finish()
        audit = conclude.conclude(folder)
        return Outcome(
            trial, audit.verdict, audit.why, seconds(), audit.counts.attempted, folder, audit
        )
