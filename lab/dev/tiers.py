"""Runs the tests of one tier, or of several: `python -m lab.dev.tiers TIER [options of pytest]`.

A tier says what its tests need and how long they take. `test` is what every change needs: unit and
integration. `all` is every tier, one after the other. `rest` is what of the others fits into the
time that `--within SECONDS` gives. Exit code: pytest's, the worst if there are several.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence

from lab.dev import durations
from lab.paths import PROJECT

UNIT, INTEGRATION = "unit", "integration"
NEEDS: Mapping[str, str] = {
    UNIT: "nothing but Python and the programs that check files",
    INTEGRATION: "real services: RabbitMQ, Redis, PostgreSQL, Prometheus, on this machine",
    "long": "as integration, and minutes for each test",
    "chaos": "experiments of the Chaos Toolkit, run against a lab",
    "load": "Locust against a lab, and a machine that does nothing else",
    "docker": "a Docker daemon",
    "kubernetes": "a cluster of one's own",
}
"""The tiers, and what each needs."""
BEYOND = tuple(name for name in NEEDS if name not in (UNIT, INTEGRATION))
"""Not part of `make test`; each is a marker, too."""
MAY_BE_EMPTY = ("chaos", "load", "docker", "kubernetes")
NOTHING = 5
"""pytest's exit code if there is no test to run."""
_NOT_BEYOND = " and ".join(f"not {name}" for name in BEYOND)
MARKED = {
    UNIT: f"not services and {_NOT_BEYOND}",
    INTEGRATION: f"services and {_NOT_BEYOND}",
    "test": _NOT_BEYOND,
    **{name: name for name in BEYOND},
}
"""What a tier's tests are marked with, as pytest's `-m` takes it."""
_GROUPS = {"all": ("test", *BEYOND)}
MARGIN = 1.5
"""A machine that is not the one of the record may be slower."""


def tier(markers: Collection[str]) -> str:
    """The tier of a test with these markers."""
    return next(
        (name for name in BEYOND if name in markers),
        INTEGRATION if "services" in markers else UNIT,
    )


def jobs(name: str) -> int:
    """How many processes run a tier's tests: most wait, so more than there are processors.

    Load and chaos are about a machine that does nothing else.
    """
    if name in (UNIT, INTEGRATION, "test"):
        return min(max(2 * (os.cpu_count() or 1), 2), 8)
    return 2 if name == "long" else 1


def run(name: str, options: Sequence[str]) -> int:
    """Run one tier; return pytest's exit code, 0 if a tier has no tests yet."""
    parts = [UNIT, INTEGRATION] if name == "test" else [name]
    known = durations.of(parts)
    if known:
        _say(
            f"{name}: takes {durations.words(durations.total(known, jobs(name)))}, by the "
            f"{len(known)} tests that were measured; the slowest follow at the end"
        )
    code = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-m", MARKED[name], "-n", str(jobs(name))),
            *("-p", "lab.dev.ordering", "--durations=20", "--durations-min=1", *options),
        ],
        cwd=PROJECT,
        # Hundreds of processes start from the same sources: compiled once, not by each.
        env={k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"},
        check=False,
    ).returncode
    if code == NOTHING and name in MAY_BE_EMPTY:
        _say(f"{name}: there are no such tests yet")
        return 0
    return code


def what_fits(within_s: float, known: Mapping[str, Mapping[str, float]]) -> dict[str, list[str]]:
    """Those tests that end in time by their record, by tier, the short ones first.

    Args:
        known: seconds by test, by tier. A test that was never measured is left to a full run.
    """
    chosen: dict[str, list[str]] = {}
    for name, tests in known.items():
        for test, seconds in sorted(tests.items(), key=lambda item: item[1]):
            if seconds * MARGIN <= within_s:
                chosen.setdefault(name, []).append(test)
                within_s -= seconds * MARGIN / jobs(name)
    return chosen


def run_what_fits(within_s: float, options: Sequence[str]) -> int:
    """Run what of the tiers beyond `make test` ends in time; return the worst exit code."""
    known = {name: durations.of([name]) for name in BEYOND}
    chosen = what_fits(within_s, known)
    for name, tests in known.items():
        for test in tests.keys() - chosen.get(name, ()):
            _say(f"{name}: {test} does not fit, it takes {durations.words(tests[test])}")
    return max((run(name, [*tests, *options]) for name, tests in chosen.items()), default=0)


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
