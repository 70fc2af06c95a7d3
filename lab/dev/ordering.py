"""A plugin of pytest that spreads tests over processes, and can write down how long each took.

The long ones start first. Tests that share something costly (a fixture of their module or of the
process) stay together; a test that starts a lab of its own goes wherever there is room.
Use it with `-p lab.dev.ordering --dist loadgroup --no-loadscope-reorder`.
"""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from lab.dev import durations, tiers

RECORD, FILE = "--record-durations", "--durations-file"
PRIVATE = frozenset({"substrates", "tmp_path_factory", "worker_id", "testrun_uid"})
"""Fixtures of the whole process that bind a test to none of the others."""
_PROPERTY = "tier"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options about the record."""
    parser.addoption(RECORD, action="store_true", help="write down how long each test took")
    parser.addoption(FILE, type=Path, default=durations.FILE, help="where (default: %(default)s)")


def pytest_configure(config: pytest.Config) -> None:
    """Record in the process that sees every result."""
    if config.getoption(RECORD) and not hasattr(config, "workerinput"):
        config.pluginmanager.register(_Recorder(config.getoption(FILE)))


def file_of(nodeid: str) -> str:
    """The file of a test, as pytest names it."""
    return nodeid.partition("::")[0]


def is_bound(item: pytest.Item) -> bool:
    """Whether a test shares something with its neighbours that would have to be made twice."""
    if not item.get_closest_marker("services"):
        return True  # not worth spreading
    known = item._fixtureinfo.name2fixturedefs  # type: ignore[attr-defined]  # noqa: SLF001
    return any(
        definitions[-1].scope != "function" and name not in PRIVATE
        for name, definitions in known.items()
    )


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Bind what belongs together, and put the groups that take longest first."""
    known = durations.of(tiers.NEEDS, config.getoption(FILE))
    seconds: dict[str, float] = defaultdict(float)
    groups: dict[str, list[pytest.Item]] = defaultdict(list)
    for item in items:
        group = item.nodeid
        if is_bound(item):
            group = file_of(item.nodeid)
            item.add_marker(pytest.mark.xdist_group(group))
        groups[group].append(item)
        seconds[group] += known.get(item.nodeid, 0.0)
    first = sorted(groups, key=lambda group: -seconds[group])
    items[:] = [item for group in first for item in groups[group]]


def pytest_itemcollected(item: pytest.Item) -> None:
    """Let the results say which tier they belong to."""
    markers = {mark.name for mark in item.iter_markers()}
    item.user_properties.append((_PROPERTY, tiers.tier(markers)))


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Show a test under the name by which it can be run again, without its group."""
    report.nodeid = report.nodeid.removesuffix(f"@{file_of(report.nodeid)}")


class _Recorder:
    """Adds up what each test took, and writes it down in the end."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._seconds: dict[str, dict[str, float]] = defaultdict(lambda: defaultdict(float))

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Set-up, test and end each come with a report of their own."""
        tier = dict(report.user_properties)[_PROPERTY]
        self._seconds[str(tier)][report.nodeid] += report.duration

    def pytest_sessionfinish(self) -> None:
        """Write the record."""
        durations.write(self._seconds, self._file)
