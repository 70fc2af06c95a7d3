"""Runs the tests of one tier, or of several: `python -m lab.dev.tiers TIER [options of pytest]`.

A tier says what its tests need and how long they take. `test` is what every change needs: unit and
integration. `all` is every tier, one after the other. `rest` is what of the others fits into the
time that `--within SECONDS` gives. Exit code: pytest's, the worst if there are several.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence

from lab.dev import durations
from lab.errors import LabError
from lab.paths import PROJECT
from lab.substrates.docker import engine, images
from lab.substrates.kubernetes import kubectl
from lab.substrates.provider import CONTEXT

UNIT, INTEGRATION = "unit", "integration"
NEEDS: Mapping[str, str] = {
    UNIT: "nothing but Python and the programs that check files",
    INTEGRATION: "real services: RabbitMQ, Redis, PostgreSQL, Prometheus, on this machine",
    "faults": "as integration: what can be broken, one after the other, and each crash point",
    "laboratory": "as integration: how labs start, break, mend, end, and are watched and shared",
    "pages": "as integration: the notebooks and the examples of docs/, as a reader runs them",
    "browser": "as integration, and Chromium: a page is used as a person uses it",
    "controls": "as integration: a guard is switched off, and the lab or a test has to notice",
    "long": "as integration, and minutes for each test",
    "chaos": "as integration, and minutes: hunts, and experiments of the Chaos Toolkit",
    "load": "Locust against a lab, and a machine that does nothing else",
    "docker": "a Docker engine, and the images on it or in reach; else it says what is missing",
    "kubernetes": f"a cluster, whose context {CONTEXT} names; else it says so",
}
"""The tiers, and what each needs: the later, the more."""
BEYOND = tuple(name for name in NEEDS if name not in (UNIT, INTEGRATION))
"""Not part of `make test`; each is a marker, too."""
_NOT_BEYOND = " and ".join(f"not {name}" for name in BEYOND)


def _only(name: str) -> str:
    """A test with the markers of several tiers is in the last of them."""
    return " and not ".join([name, *BEYOND[BEYOND.index(name) + 1 :]])


MARKED = {
    UNIT: f"not services and {_NOT_BEYOND}",
    INTEGRATION: f"services and {_NOT_BEYOND}",
    "test": _NOT_BEYOND,
    **{name: _only(name) for name in BEYOND},
}
"""What a tier's tests are marked with, as pytest's `-m` takes it."""
_GROUPS = {"all": ("test", *BEYOND)}
BUILD_S = 900.0
MARGIN = 1.5
"""A machine that is not the one of the record may be slower."""


def tier(markers: Collection[str]) -> str:
    """The tier of a test with these markers."""
    return next(
        (name for name in reversed(BEYOND) if name in markers),
        INTEGRATION if "services" in markers else UNIT,
    )


def jobs(name: str) -> int:
    """How many processes run a tier's tests: most wait, so more than there are processors.

    A load wants a machine that does nothing else; chaos and a cluster keep one busy by themselves.
    """
    if name in (UNIT, INTEGRATION, "test", "faults", "laboratory", "pages", "controls"):
        return min(max(2 * (os.cpu_count() or 1), 2), 8)
    return 2 if name in ("long", "docker") else 1


def run(name: str, options: Sequence[str]) -> int:
    """Run one tier; return pytest's exit code, 0 if what it needs is not there."""
    if _is_left_out(name):
        return 0
    parts = [UNIT, INTEGRATION] if name == "test" else [name]
    known = durations.of(parts)
    if known:
        _say(
            f"{name}: takes {durations.words(durations.total(known, jobs(name)))}, by the "
            f"{len(known)} tests that were measured; the slowest follow at the end"
        )
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", MARKED[name], "-n", str(jobs(name))),
            *("-p", "lab.dev.ordering", "--durations=20", "--durations-min=1", *options),
        ],
        cwd=PROJECT,
        # Hundreds of processes start from the same sources: compiled once, not by each.
        env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        check=False,
    ).returncode


def _is_left_out(name: str) -> bool:
    """Whether a tier lacks what it needs; says so."""
    why = _WITHOUT.get(name, lambda: "")()
    if why:
        _say(f"{name}: left out, {why}")
    return bool(why)


def without_docker() -> str:
    """Why no test can run in containers; empty if they can. Builds and pulls what is missing."""
    try:
        engine.need()
        built = subprocess.run(
            ["make", "image"], cwd=PROJECT, capture_output=True, timeout=BUILD_S, check=False
        )
        if built.returncode:
            said = built.stderr.decode("utf-8", "replace").strip().splitlines()
            return f"the system's image cannot be built: {said[-1] if said else 'no word why'}"
        images.need()
    except (LabError, subprocess.TimeoutExpired) as error:
        return str(error)
    return ""


def without_kubernetes() -> str:
    """Why no test can run on a cluster; empty if they can. It starts no cluster."""
    try:
        kubectl.need()
    except LabError as error:
        return str(error)
    return ""


_WITHOUT = {"docker": without_docker, "kubernetes": without_kubernetes}
"""Tiers whose needs cannot be brought here: why they are left out."""


def what_fits(within_s: float, tests: Mapping[str, float], jobs: int) -> list[str]:
    """Those files of a tier's tests that end in time by their record, the short ones first.

    Args:
        tests: seconds by test. A test that was never measured is left to a full run, unless its
            file is chosen: one test may sum up what its neighbours saw.
        jobs: how many run at once.
    """
    files: dict[str, float] = defaultdict(float)
    for test, seconds in tests.items():
        files[test.partition("::")[0]] += seconds
    chosen = []
    for file, seconds in sorted(files.items(), key=lambda item: item[1]):
        if seconds * MARGIN <= within_s:
            chosen.append(file)
            within_s -= seconds * MARGIN / jobs
    return chosen


def run_what_fits(
    within_s: float, options: Sequence[str], clock: Callable[[], float] = time.monotonic
) -> int:
    """Run what of the tiers beyond `make test` ends in time; return the worst exit code.

    Each tier has what the ones before it really left: a slow machine runs fewer of them, not all
    of them late. A tier that cannot run here takes no time from the others.
    """
    end, worst = clock() + within_s, 0
    for name in BEYOND:
        if _is_left_out(name):
            continue
        tests = durations.of([name])
        chosen = what_fits(end - clock(), tests, jobs(name))
        if not tests:
            _say(f"{name}: left to `make test-all`, for none of its tests was ever measured")
        for test, seconds in tests.items():
            if test.partition("::")[0] not in chosen:
                _say(f"{name}: {test} does not fit, it takes {durations.words(seconds)}")
        if chosen:
            worst = max(worst, run(name, [*chosen, *options]))
    return worst


def main(arguments: Sequence[str]) -> int:
    """Run what the command line names."""
    name, *options = arguments or [""]
    if name == "rest" and options[:1] == ["--within"] and len(options) > 1:
        return run_what_fits(float(options[1]), options[2:])
    if name not in MARKED and name not in _GROUPS:
        _say(f"usage: python -m lab.dev.tiers {'|'.join([*MARKED, *_GROUPS])} [options of pytest]")
        _say("       python -m lab.dev.tiers rest --within SECONDS [options of pytest]")
        return 2
    return max(run(each, options) for each in _GROUPS.get(name, (name,)))


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
