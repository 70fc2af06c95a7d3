"""A load for a lab that is up, by the lab's own generator: `lab load`."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from rich.console import Console

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.errors import LabError
from lab.experiment.conduct import conducted
from lab.experiment.lab import Lab
from lab.experiment.runs import RUNS
from lab.experiment.session import session
from lab.report import conclude
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate
from lab.wait import eventually
from lab.workload.generator import FLUSH_S
from lab.workload.profiles import Profile

JOINING = Plan(seed=0, matches=40)
"""The plan for a lab that is up: its own holds."""
GRACE_S = 10.0
"""By so much later than it may, a load notices that it cannot be sent."""


def run(
    substrate: Substrate,
    name: str,
    profile: Profile,
    *,
    may_be_late: bool = False,
    console: Console,
    runs: Path = RUNS,
) -> Audit:
    """Offer a load that has an end to a lab that is up, and account for every message of it.

    Ctrl-C ends the load, and what was sent is accounted for; a second one gives up.

    Args:
        name: of the profile; the run is called after it.
        may_be_late: something is broken meanwhile, so the mean latency is no objective.

    Raises:
        LabError: the lab is not up, or the load could not be offered.
    """
    asked = {LATENCY_MEAN: None} if profile.saturates or may_be_late else {}
    folder: Path | None = None
    try:
        with session(f"load-{name}", substrate, JOINING, runs=runs, objectives=asked) as lab:
            folder = lab.folder
            console.print(f"Load {name}: {profile.summary}; for {profile.lasts_s:g} s at most.")
            with lab.checking("the load was offered"):
                if _offer(lab, profile):
                    console.print("All was sent; waiting until nothing is on its way any more.")
                else:
                    console.print("Stopped by hand; what was sent is settled and judged.")
            lab.finish()
    except BaseException:
        if folder is not None:
            conclude.cut_short(folder, console)
        raise
    audit = conclude.conclude(folder)
    conclude.show(audit, console, folder)
    return audit


def _offer(lab: Lab, profile: Profile) -> bool:
    """Offer a load to its end; return whether it came to that, and was not stopped by hand."""
    if profile.lasts_s is None:
        raise LabError("a load without an end cannot be offered to its end")
    with conducted(lab, profile) as conductor:
        conductor.begin(time.time())
        with _stopping() as stopped, lab.load(profile) as load:
            eventually(
                "the load to be over",
                lambda: load.over.is_set() or stopped.is_set(),
                within_s=profile.lasts_s + FLUSH_S + GRACE_S,
            )
        conductor.published()
    return not stopped.is_set()


@contextmanager
def _stopping() -> Iterator[threading.Event]:
    """Let the first Ctrl-C of the block set an event; from then on they interrupt, as usual."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped  # others do not get it
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopped.set()
        signal.signal(signal.SIGINT, before)

    before = signal.signal(signal.SIGINT, stop)
    try:
        yield stopped
    finally:
        signal.signal(signal.SIGINT, before)
