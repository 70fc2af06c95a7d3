"""The doctor says what is there, what is missing, and what to do about it."""

from __future__ import annotations

import json
import subprocess
import sys
from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from lab.cli.doctor import as_table, is_well
from lab.paths import PROJECT
from lab.substrates.local import doctor
from lab.substrates.provider import Finding


@pytest.mark.parametrize(
    ("text", "least", "state"),
    [
        ("Redis server v=7.0.15 sha=0", (6,), "good"),
        ("Redis server v=5.9", (6,), "missing"),
        ("3.10.8", (3, 10), "good"),
        ("3.9.30", (3, 10), "missing"),
        ("4.0.5", (3, 10), "good"),
        ("postgres (PostgreSQL) 15.18 (Debian)", (15,), "good"),
        ("postgres (PostgreSQL) 14.9", (15,), "missing"),
        ("postgres (PostgreSQL) 18beta1", (15,), "good"),
        ("prometheus, version 2.42.0+ds (branch: debian/sid", (2, 42), "good"),
        ("prometheus, version 3.5.0 (branch: HEAD", (2, 42), "good"),
        ("prometheus, version 2.31.2+ds1 (branch: debian/sid", (2, 42), "missing"),
        ("alertmanager, version 0.25.0 (branch: debian/sid", (0, 25), "good"),
        ("command not found", (6,), "missing"),
    ],
)
def test_versions_are_compared_as_numbers(text: str, least: tuple[int, ...], state: str) -> None:
    finding = doctor.judge("it", text, least, "install it")

    assert finding.state == state
    assert bool(finding.cure) == (state == "missing")


def test_the_current_context_is_marked_and_no_other() -> None:
    config = {"current-context": "b", "contexts": [{"name": "a"}, {"name": "b"}]}

    found = doctor.contexts(json.dumps(config)).found

    assert found.startswith("a, b* ")
    assert "never acts on a context that was not named" in found


@pytest.mark.parametrize("config", ["{}", '{"contexts": null, "current-context": ""}'])
def test_a_machine_without_clusters_is_fine(config: str) -> None:
    finding = doctor.contexts(config)

    assert finding.state == "good"
    assert finding.found.startswith("none")


def test_only_what_the_lab_cannot_do_without_makes_it_unwell() -> None:
    warning = Finding("a", "warning", "little")
    missing = Finding("b", "missing", "nothing", "get it")

    assert is_well([warning])
    assert not is_well([warning, missing])


def test_the_table_shows_the_cure_as_it_has_to_be_typed() -> None:
    out = StringIO()
    finding = Finding("b", "missing", "nothing", "apt-get install [it]")

    Console(file=out, width=200).print(as_table([finding]))

    assert "apt-get install [it]" in out.getvalue()


@pytest.mark.services
def test_this_machine_can_run_the_lab() -> None:
    findings = {each.what: each for each in doctor.examine()}

    assert is_well(list(findings.values())), findings
    assert {"Python", "RabbitMQ", "Redis", "PostgreSQL"} < findings.keys()
    assert {"Prometheus", "promtool", "Alertmanager"} < findings.keys()


@pytest.mark.services
def test_a_machine_without_the_programs_is_told_how_to_get_them(tmp_path: Path) -> None:
    """The doctor as it speaks where nothing is installed: its search places are empty folders."""
    script = """
from lab.substrates.local import programs
programs._on_path = lambda name: None
programs._SPECIAL = {name: lambda: None for name in programs._SPECIAL}
import sys
sys.argv = ["lab", "doctor", "--json"]
from lab.cli.app import main
main()
"""
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)},
        check=False,
        timeout=120,
    )

    assert done.returncode == 2, done.stderr
    said = json.loads(done.stdout)
    lacking = {
        each["what"]: each["cure"] for each in said["findings"] if each["state"] == "missing"
    }
    assert not said["well"]
    assert {"RabbitMQ", "Redis", "PostgreSQL", "Prometheus", "Alertmanager"} <= lacking.keys()
    assert all(lacking.values())
    states = {each["what"]: each["state"] for each in said["findings"]}
    assert {states["Redis's exporter"], states["PostgreSQL's exporter"]} == {"warning"}
