"""The command `python -m load`: a load by Locust on a lab of its own, which it starts and ends.

The lab runs where `--substrate` says. Locust runs here, and its senders reach the lab as any other
program does; on a cluster it can run in a Job beside the lab instead (`--inside`). The exit code is
Locust's: the worse of budgets and the lab's audit.
"""

from __future__ import annotations

import argparse
import os
import secrets
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from lab import signals
from lab.errors import LabError
from lab.experiment.plan import make_plan
from lab.paths import PROJECT
from lab.substrates import registry
from lab.substrates.provider import CONTEXT, Keeps
from load import inside

COULD_NOT_RUN = 2


def main(arguments: Sequence[str]) -> int:
    """Start a lab, put the load on it, end it, and return the exit code of Locust."""
    parser = argparse.ArgumentParser(
        prog="python -m load", description=__doc__, epilog="What follows `--` goes to Locust."
    )
    parser.add_argument("--profile", default="baseline", help="a file of load/profiles/")
    parser.add_argument("--workers", type=int, default=2, help="of the lab")
    parser.add_argument("--substrate", default=registry.DEFAULT, help="where the lab runs")
    parser.add_argument("--context", help="which cluster, on kubernetes; never the current one")
    parser.add_argument("--inside", action="store_true", help="let Locust run beside the lab")
    parser.add_argument("--image", default=inside.image(), help="that of Locust, with --inside")
    parser.add_argument("more", nargs="*", help=argparse.SUPPRESS)
    given = parser.parse_args(arguments)
    if given.context:
        os.environ[CONTEXT] = given.context
    signals.end_in_order()
    try:
        return _on_a_lab(given)
    except LabError as error:
        print(f"load: {error}", file=sys.stderr)  # noqa: T201
        return COULD_NOT_RUN


def locust(folder: Path, profile: str, *more: str) -> list[str]:
    """How Locust is called, after `python`. Pure.

    Args:
        folder: of this package, where Locust runs.
    """
    return [
        *("-m", "locust", "-f", str(folder / "locustfile.py"), "--headless", "--only-summary"),
        *("--config", str(folder / "profiles" / f"{profile}.conf"), *more),
    ]


def _on_a_lab(given: argparse.Namespace) -> int:
    provider = registry.keeping(given.substrate)
    lab = f"load-{secrets.token_hex(4)}"
    plan = make_plan(seed=7, matches=40, workers=given.workers, monitoring=False)
    provider.start(lab, plan, _say)
    try:
        return _inside(provider, lab, given) if given.inside else _from_here(lab, given)
    finally:
        provider.stop(lab)


def _from_here(lab: str, given: argparse.Namespace) -> int:
    of_lab = ("--lab-name", lab, "--substrate", given.substrate)
    words = locust(Path(__file__).parent, given.profile, *of_lab, *given.more)
    env = {**os.environ, "PYTHONPATH": str(PROJECT)}
    return subprocess.run([sys.executable, *words], env=env, check=False).returncode


def _inside(provider: Keeps, lab: str, given: argparse.Namespace) -> int:
    words = ["python", *locust(inside.FOLDER, given.profile)]
    return inside.run(provider.attach(lab), given.image, words, given.more, _say)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
