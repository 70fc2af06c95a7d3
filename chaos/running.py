"""The run that an experiment belongs to: a session on a lab that is up, its load and its faults.

The control opens it before the hypothesis and ends it after the rollbacks; probes and actions find
it here. There is one at a time, as the Chaos Toolkit runs one experiment in a process.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

from chaoslib.exceptions import ActivityFailed

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.errors import LabError
from lab.experiment.lab import Lab
from lab.experiment.runs import RUNS
from lab.experiment.session import session
from lab.experiment.work import JOINING
from lab.paths import lab_command
from lab.report import conclude
from lab.substrates import registry
from lab.workload.generator import Load

LAB_NAME, LAB_SUBSTRATE = "LAB_NAME", "LAB_SUBSTRATE"
"""Variables of the environment that choose another lab than `default`."""


class Run:
    """One session on a lab that is up, for one experiment.

    Attributes:
        begun: seconds since the epoch.
    """

    def __init__(self, name: str, runs: Path = RUNS) -> None:
        """Open it.

        Raises:
            LabError: the lab is not up, or cannot be observed.
        """
        self.lab_name = os.environ.get(LAB_NAME) or "default"
        self.provider = registry.keeping(os.environ.get(LAB_SUBSTRATE) or registry.DEFAULT)
        self.begun = time.time()
        self._session, self._load = ExitStack(), ExitStack()
        self._faults: dict[str, ExitStack] = {}
        self.load: Load | None = None
        self.lab: Lab = self._session.enter_context(
            session(
                f"chaos-{name}",
                self.provider.attach(self.lab_name),
                JOINING,
                runs=runs,
                # Under a fault messages are late; what is asked for is that all of them arrive.
                objectives={LATENCY_MEAN: None},
            )
        )

    @property
    def struck(self) -> list[str]:
        """The faults that this run has struck and not cured."""
        return list(self._faults)

    def states(self) -> dict[str, str]:
        """The state of each process of the lab: `up`, `paused` or `gone`, by its name."""
        return {line.name: line.state for line in self.provider.status(self.lab_name).lines}

    def strike(self, fault: str, parameters: Mapping[str, Any]) -> None:
        """Break the lab until `cure`.

        Raises:
            LabError: it cannot be done.
        """
        if fault in self._faults:
            raise LabError(f"{fault} is at work already")
        stack = ExitStack()
        stack.enter_context(self.lab.fault(fault, **parameters))
        self._faults[fault] = stack

    def cure(self, fault: str) -> None:
        """Mend what a fault broke.

        Raises:
            LabError: it is not at work, or cannot be cured.
        """
        if fault not in self._faults:
            raise LabError(f"{fault} is not at work, so there is nothing to cure")
        self._faults.pop(fault).close()

    def begin_load(self, profile: str) -> None:
        """Offer a load until `end_load`.

        Raises:
            LabError: there is no such load, or one is offered already.
        """
        if self.load is not None:
            raise LabError(f"the load {self.load.series!r} is offered already")
        self.load = self._load.enter_context(self.lab.load(profile))

    def end_load(self) -> None:
        """Offer no more, and wait until all that was attempted is accepted.

        Raises:
            LabError: that was not so in time.
        """
        self.load = None
        self._load.close()

    def end(self, check: Mapping[str, Any]) -> Audit:
        """Settle, look everywhere, leave, and judge.

        Args:
            check: what the experiment itself came to; see `Lab.check`.

        Raises:
            LabError: the verdict cannot be drawn.
        """
        folder = self.lab.folder
        try:
            self.lab.check(**check)
            self.lab.finish()
        finally:
            self.leave()
        return conclude.conclude(folder)

    def leave(self) -> None:
        """Leave the lab; its keeper mends what is still broken."""
        with suppress(LabError), self._session, self._load, ExitStack() as cures:
            for stack in self._faults.values():
                cures.push(stack)
        self._faults.clear()


_run: Run | None = None
"""The Chaos Toolkit gives probes and actions nothing to hold on to."""


def begin(name: str) -> Run:
    """Open the run of this process.

    Raises:
        LabError: as `Run` does, or there is one already.
    """
    global _run
    if _run is not None:
        raise LabError("an experiment runs in this process already")
    _run = Run(name)
    return _run


def current() -> Run:
    """The run of this process.

    Raises:
        ActivityFailed: there is none, so nothing that is done would be accounted for.
    """
    if _run is None:
        raise ActivityFailed(
            "no session of the lab is open: the experiment must declare the control chaos.control,"
            f" and a lab must be up (`{lab_command('up', '--breakable')}`)"
        )
    return _run


def taken() -> Run | None:
    """The run of this process, which is nobody's any more; None if there is none."""
    global _run
    run, _run = _run, None
    return run
