"""A plugin of pytest that spreads tests over processes, and can write down how long each took.

The long ones start first. Tests that share something costly (a fixture of their module or of the
process) stay together; a test that starts a lab of its own goes wherever there is room. With
pytest 9.2, xdist's own `--dist loadgroup` does not keep groups together; hence the scheduler here.
"""

from __future__ import annotations

import ast
import gc
import time
from collections import Counter, defaultdict
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from lab.dev import durations, results, tiers
from lab.dev.reading import fixtures, parameters, tests

RECORD, FILE = "--record", "--durations-file"
UNSHARED = frozenset({"open_lab", "tmp_path", "evidence", "monkeypatch", "request"})
"""Fixtures of a test alone that are not made in its own file."""
_PROPERTY = "tier"
_OUTCOMES = ("passed", "skipped", "failed")
"""The later, the worse."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options about the record."""
    parser.addoption(
        RECORD, action="store_true", help="write down how long each test took, and how it ended"
    )
    parser.addoption(FILE, type=Path, default=durations.FILE, help="where (default: %(default)s)")


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that sees every result; let collecting tests make no garbage rounds."""
    gc.disable()
    if config.getoption(RECORD) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config.getoption(FILE)))


@cache
def independent(file: Path) -> frozenset[str]:
    """The test functions of a file that share nothing costly with their neighbours.

    Those that need no services share nothing costly either, but are not worth spreading.
    """
    module = ast.parse(file.read_text("utf-8"))
    made = fixtures(module)

    def is_own(name: str) -> bool:
        scope, needs = made.get(name, ("", ()))
        return name in UNSHARED or (scope == "function" and all(map(is_own, needs)))

    return frozenset(
        function.name
        for function, cases in tests(module)
        if all("services" in markers for markers in cases)
        and all(map(is_own, parameters(function)))
    )


def group(nodeid: str, root: Path) -> str:
    """What a test is to stay together with: nothing but itself, or all of its file."""
    file, _, name = nodeid.partition("::")
    return nodeid if name.partition("[")[0] in independent(root / file) else file


class Scheduler(LoadScopeScheduling):  # type: ignore[misc]
    """Gives each process one group after the other, in the order of the collection."""

    def _split_scope(self, nodeid: str) -> str:
        return group(nodeid, self.config.rootpath)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Scheduler:
    """Use it whatever `--dist` says."""
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Put the groups that take longest first."""
    known = durations.of(tiers.NEEDS, config.getoption(FILE))
    seconds: dict[str, float] = defaultdict(float)
    groups: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        its = group(item.nodeid, config.rootpath)
        groups[its].append(item)
        seconds[its] += known.get(item.nodeid, 0.0)
    items[:] = [
        item for its in sorted(groups, key=lambda its: -seconds[its]) for item in groups[its]
    ]


def pytest_collection_finish() -> None:
    """What was loaded for the tests stays: no round of the garbage collector looks at it again."""
    gc.freeze()
    gc.enable()


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the results say which tier they belong to."""
    markers = {mark.name for mark in item.iter_markers()}
    item.user_properties.append((_PROPERTY, tiers.tier(markers)))


class _Recorder:
    """Adds up what each test took and how it ended, and writes it down in the end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._begun = time.monotonic()
        self._seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))
        self._worst: dict[str, dict[str, str]] = defaultdict(dict)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, test and end each come with a report of their own; the worst one counts."""
        tier = str(dict(report.user_properties)[_PROPERTY])
        self._seconds[tier][report.nodeid] += report.duration
        before = self._worst[tier].get(report.nodeid, _OUTCOMES[0])
        self._worst[tier][report.nodeid] = max(before, report.outcome, key=_OUTCOMES.index)

    def pytest_sessionfinish(self) -> None:
        """Write the record."""
        durations.write(self._seconds, self._file)
        today, seconds = f"{datetime.now(UTC):%Y-%m-%d}", round(time.monotonic() - self._begun)
        ended: dict[str, results.Result] = {}
        for tier, tests_of in self._worst.items():
            count = Counter(tests_of.values())
            ended[tier] = {
                "on": today,
                "passed": count["passed"],
                "failed": count["failed"],
                "skipped": count["skipped"],
                "seconds": seconds,
            }
        results.write(ended, self._file.with_name(results.FILE.name))
