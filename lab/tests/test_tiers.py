"""Tests are in the tier that they say and start in a good order, and no room is overlooked."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lab.dev import durations, results, tests_page, tiers
from lab.paths import PROJECT
from lab.substrates.provider import CONTEXT

pytestmark = pytest.mark.timeout(600)  # each starts a pytest of its own

MODULE = """
import pytest

@pytest.fixture(scope="module")
def shared():
    return 1

@pytest.mark.services
def test_alone():
    pass

@pytest.mark.services
def test_first_of_two(shared):
    pass

@pytest.mark.services
def test_second_of_two(shared):
    pass

def test_quick():
    pass

@pytest.mark.long
@pytest.mark.services
def test_that_takes_long():
    pass

@pytest.mark.pages
@pytest.mark.services
def test_that_a_page_is_true():
    pass

@pytest.mark.faults
@pytest.mark.services
def test_that_all_survives():
    pass

@pytest.mark.controls
@pytest.mark.laboratory
@pytest.mark.services
def test_that_a_weakened_lab_is_seen():
    pass

@pytest.mark.laboratory
@pytest.mark.services
def test_that_a_lab_ends():
    pass

@pytest.mark.parametrize("kind", ["mild", pytest.param("grave", marks=pytest.mark.services)])
def test_of_both_kinds(kind):
    pass
"""


# No more plugins than are needed: they take longer to load than these tests to run.
ENVIRONMENT = {
    "PYTHONPATH": str(PROJECT),
    "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
    "PYTEST_PLUGINS": "xdist.plugin",
}
LONG = f"__import__('time').sleep({durations.LEAST_S + 0.1})"
SHARING = ["test_first_of_two", "test_second_of_two"]


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A project with one module of tests."""
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "test_module.py").write_text(MODULE)
    markers = "\n".join(f"    {name}" for name in ("services", *tiers.BEYOND))
    (tmp_path / "pytest.ini").write_text(f"[pytest]\nmarkers =\n{markers}\n")
    return tmp_path


def run(room: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in the room, with the plugin."""
    return subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--strict-markers", "-p", "no:cacheprovider"),
            *("-p", "lab.dev.ordering", "--durations-file", str(room / "durations.json")),
            *options,
        ],
        env={**os.environ, **ENVIRONMENT},
        cwd=room,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def collected(room: Path, *options: str) -> list[str]:
    """The names of the tests that would run, in their order."""
    said = run(room, "--collect-only", "-q", *options).stdout
    return [line.partition("::")[2] for line in said.splitlines() if "::" in line]


def test_each_test_is_in_one_tier_by_its_markers(room: Path) -> None:
    by_tier = {name: collected(room, "-m", marked) for name, marked in tiers.MARKED.items()}
    assert by_tier == {
        "unit": ["test_quick", "test_of_both_kinds[mild]"],
        "integration": ["test_alone", *SHARING, "test_of_both_kinds[grave]"],
        "test": by_tier["test"],
        "faults": ["test_that_all_survives"],
        "laboratory": ["test_that_a_lab_ends"],
        "pages": ["test_that_a_page_is_true"],
        "controls": ["test_that_a_weakened_lab_is_seen"],
        "long": ["test_that_takes_long"],
        **{name: [] for name in ("browser", "chaos", "load", "docker", "kubernetes")},
    }
    assert sorted(by_tier["test"]) == sorted(by_tier["unit"] + by_tier["integration"])


def test_the_page_finds_the_same_without_running_anything(room: Path) -> None:
    found = {
        tier: [each.name for each in claims] for tier, claims in tests_page.claims(room).items()
    }
    assert found == {
        "unit": ["test_quick", "test_of_both_kinds"],
        "integration": [
            "test_alone",
            "test_first_of_two",
            "test_second_of_two",
            "test_of_both_kinds",
        ],
        "faults": ["test_that_all_survives"],
        "laboratory": ["test_that_a_lab_ends"],
        "pages": ["test_that_a_page_is_true"],
        "controls": ["test_that_a_weakened_lab_is_seen"],
        "long": ["test_that_takes_long"],
    }


def test_the_longest_starts_first_and_what_shares_a_fixture_stays_together(room: Path) -> None:
    shared = [*SHARING, "test_of_both_kinds[grave]"]
    for alone_s, order in (3.0, [*shared, "test_alone"]), (5.0, ["test_alone", *shared]):
        took = {"test_second_of_two": 4.0, "test_alone": alone_s}
        record = {f"lab/test_module.py::{name}": seconds for name, seconds in took.items()}
        durations.write({"integration": record}, room / "durations.json")
        assert collected(room, "-m", tiers.MARKED["integration"]) == order


def test_processes_share_no_group_and_tests_keep_their_names(room: Path) -> None:
    (room / "lab" / "test_module.py").write_text(
        MODULE.replace("    pass", "    import os; print(os.environ['PYTEST_XDIST_WORKER'])")
    )
    said = run(room, "-n", "2", "-m", tiers.MARKED["integration"], "-rP").stdout
    where = dict(re.findall(r"_+ (test_\w+).*? _+\n(?:.*\n)*?(gw\d)\n", said))
    assert where["test_first_of_two"] == where["test_second_of_two"]
    assert "@" not in said.replace("@py_", "")


def test_what_was_measured_is_written_down_by_tier_and_the_rest_is_kept(room: Path) -> None:
    (room / "lab" / "test_module.py").write_text(
        # Longer than what is not kept, on a machine of any speed.
        MODULE.replace("def test_quick():\n    pass", f"def test_quick():\n    {LONG}")
    )
    file = room / "durations.json"
    durations.write({"unit": {"old": 5}, "long": {"lab/test_module.py::of_old": 600}}, file)
    assert run(room, "-n", "1", "--record", "-m", "not long").returncode == 0
    record = durations.read(file)
    assert record["long"] == {"lab/test_module.py::of_old": 600}
    assert list(record["unit"]) == ["lab/test_module.py::test_quick"]
    assert record["integration"] == {}


def test_how_each_tier_ended_is_written_down_and_the_rest_is_kept(room: Path) -> None:
    skips = "def test_quick():\n    import pytest; pytest.skip('not here')"
    (room / "lab" / "test_module.py").write_text(
        MODULE.replace("def test_quick():\n    pass", skips).replace(
            "def test_alone():\n    pass", "def test_alone():\n    assert False"
        )
        + "\n@pytest.fixture\ndef leaves_a_mess():\n    yield\n    assert False\n"
        + "\ndef test_with_a_bad_end(leaves_a_mess):\n    pass\n"
    )
    file = room / results.FILE.name
    old: results.Result = {
        "on": "2026-01-02",
        "passed": 5,
        "failed": 0,
        "skipped": 0,
        "seconds": 9,
    }
    results.write({"unit": old, "docker": old}, file)
    assert run(room, "-n", "1", "--record", "-m", "not long").returncode == 1
    ended = results.read(file)
    assert ended["docker"] == old
    assert ended["unit"]["on"] > "2026-01-02"
    counted = {
        tier: (each["passed"], each["failed"], each["skipped"]) for tier, each in ended.items()
    }
    assert counted == {
        "unit": (1, 1, 1),
        "integration": (3, 1, 0),
        "docker": (5, 0, 0),
        **dict.fromkeys(("faults", "laboratory", "pages", "controls"), (1, 0, 0)),
    }


def test_how_a_tier_ended_is_said_without_what_there_was_none_of() -> None:
    ended: results.Result = {
        "on": "2026-01-02",
        "passed": 1061,
        "failed": 1,
        "skipped": 0,
        "seconds": 4164,
    }
    assert results.words(ended) == "2026-01-02: 1,061 passed, 1 failed in 69:24 min"
    quick: results.Result = {**ended, "failed": 0, "skipped": 2, "seconds": 65}
    assert results.words(quick) == "2026-01-02: 1,061 passed, 2 skipped in 1:05 min"


def test_without_an_engine_the_containers_are_left_out_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert tiers.run("docker", []) == 0
    assert "docker: left out, no Docker engine answers" in capfd.readouterr().out


def test_without_a_named_cluster_its_tests_are_left_out_and_the_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(CONTEXT, raising=False)
    assert tiers.run("kubernetes", []) == 0
    assert "kubernetes: left out, the lab acts on no cluster" in capfd.readouterr().out


def test_how_long_it_takes_is_said_before() -> None:
    assert durations.total({"a": 300.0, "b": 60.0, "c": 60.0}, jobs=2) == 300
    assert durations.total({"a": 100.0, "b": 60.0, "c": 60.0}, jobs=2) == 110
    assert durations.words(110) == "about 2 min"
    assert durations.words(20) == "less than a minute"


def test_what_fits_into_the_time_is_chosen_with_room_to_spare_the_short_ones_first() -> None:
    tests = {"far::too_long": 2000.0, "short::a": 100.0, "more::a": 50.0, "more::b": 350.0}
    assert tiers.what_fits(2000, tests, jobs=2) == ["short", "more"]
    assert tiers.what_fits(700, tests, jobs=2) == ["short", "more"]
    assert tiers.what_fits(700, tests, jobs=1) == ["short"]
    assert tiers.what_fits(100, tests, jobs=2) == []


def test_a_slow_machine_runs_fewer_tiers_instead_of_all_of_them_late(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tiers, "BEYOND", ("faults", "pages", "long"))
    monkeypatch.setattr(tiers, "jobs", lambda _name: 1)
    monkeypatch.setattr(
        durations, "of", lambda names: {f"{name}.py::test": 100.0 for name in names}
    )
    now, ran, codes = 0.0, [], {"faults": 1, "pages": 0}

    def takes_three_times_as_long(name: str, _given: list[str]) -> int:
        nonlocal now
        now += 300.0
        ran.append(name)
        return codes[name]

    monkeypatch.setattr(tiers, "run", takes_three_times_as_long)
    assert tiers.run_what_fits(700.0, [], clock=lambda: now) == 1
    assert ran == ["faults", "pages"]
    assert "long: long.py::test does not fit, it takes about 2 min" in capfd.readouterr().out


def test_of_the_rest_only_what_can_run_here_is_run_and_why_not_is_said(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))  # neither an engine
    monkeypatch.delenv(CONTEXT, raising=False)  # nor a cluster
    monkeypatch.setattr(
        durations,
        "of",
        lambda names: {f"{name}.py::test": 100.0 for name in names if name != "load"},
    )
    ran: dict[str, list[str]] = {}
    monkeypatch.setattr(tiers, "run", lambda name, given: ran.update({name: given}) or 0)
    assert tiers.run_what_fits(1000.0, ["-x"]) == 0
    able = [name for name in tiers.BEYOND if name not in ("load", "docker", "kubernetes")]
    assert ran == {name: [f"{name}.py", "-x"] for name in able}
    said = capfd.readouterr().out
    assert "docker: left out, no Docker engine answers" in said
    assert "kubernetes: left out, the lab acts on no cluster" in said
    assert "load: left to `make test-all`" in said


def test_a_tier_without_a_test_is_a_failure(room: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiers, "PROJECT", room)
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    (room / "lab" / "test_module.py").unlink()
    assert tiers.run("unit", []) == pytest.ExitCode.NO_TESTS_COLLECTED
