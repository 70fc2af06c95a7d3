"""What Locust is told beyond its own options; also in the files of `profiles/` and its web page."""

from __future__ import annotations

import math
from argparse import Namespace
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import CannotRun
from lab.substrates import registry
from lab.workload import profiles
from lab.workload.profiles import Profile
from load import budgets
from load.target import Target

QUEUE, HTTP = "queue", "http"
SHARES = "load_shares"
"""Not an option: what the process that leads tells the others, see `load.leader`."""
USUAL_S = 60.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What is to be offered, which way, to what, and the file of its budgets."""

    name: str
    profile: Profile
    way: str
    target: Target
    budgets: Path


def add(parser: Any) -> None:
    """Add the options to Locust's own."""
    parser.add_argument(
        "--load", choices=list(profiles.PROFILES), default="baseline", help="Which load."
    )
    parser.add_argument("--way", choices=[QUEUE, HTTP], default=QUEUE, help="How messages go.")
    parser.add_argument(
        "--seconds", type=float, default=0, help="End after so many; 0: as the profile says."
    )
    parser.add_argument(
        "--budgets", default=str(budgets.FILE), include_in_web_ui=False, help="Their file."
    )
    parser.add_argument(
        "--lab-name", default="default", help="Which lab that is up, without a host"
    )
    parser.add_argument("--substrate", default=registry.DEFAULT, help="Where that lab runs.")


def read(options: Namespace, host: str | None) -> Chosen:
    """What Locust was told.

    Raises:
        CannotRun: the number of seconds makes no sense.
    """
    seconds = float(options.seconds)
    if not (math.isfinite(seconds) and seconds >= 0):
        raise CannotRun(f"--seconds must be 0 or more, not {options.seconds}")
    profile = profiles.find(options.load)
    if seconds or profile.lasts_s is None:
        profile = profile.lasting(seconds or USUAL_S)
    target = Target(host or None, options.lab_name, options.substrate)
    return Chosen(options.load, profile, options.way, target, Path(options.budgets))
