"""The main job, by its own command: a season goes by, every message is accounted for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from lab.checker import verdict
from lab.paths import PROJECT

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(240)]


def _lab(folder: Path, *arguments: str, within_s: float = 200) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def _run(folder: Path, *arguments: str, within_s: float = 200) -> dict[str, Any]:
    folder.mkdir()
    # Speed is measured elsewhere: a test must not depend on what else the machine does.
    free = ("--page-delay-ms", "0", "--latency-ms", "600000")
    done = _lab(folder, "run", *free, *arguments, within_s=within_s)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VALID" in done.stdout
    return verdict.read(folder / ".runs" / "latest" / verdict.FILE)


SEASON = ("--matches", "50", "--scrapes", "2")


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder that a season was run in, and its verdict. Nothing may be changed in there."""
    folder = tmp_path_factory.mktemp("season") / "first"
    return folder, _run(folder, *SEASON, "--seed", "11")


def test_the_same_seed_gives_the_same_counts_and_another_seed_others(
    first: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """A run can be repeated: what happened in it follows from the seed."""
    _, judged = first
    again = _run(tmp_path / "again", *SEASON, "--seed", "11")
    other = _run(tmp_path / "other", *SEASON, "--seed", "12", "--workers", "1")
    assert judged["counts"] == again["counts"]
    assert judged["counts"] != other["counts"]
    assert judged["counts"]["accepted"] == 2 * (50 + 13)
    assert judged["counts"]["dead_lettered"] == 2 * 10


@pytest.mark.long
@pytest.mark.timeout(1860)
def test_ten_thousand_matches_are_accounted_for_and_the_metrics_say_the_same(
    tmp_path: Path,
) -> None:
    """10,000 matches, observed twice, while Prometheus watches: some 20,000 messages."""
    _accounted_for_twice(tmp_path / "run", matches=10_000, scrapes=2, within_s=1800)


def test_the_metrics_say_what_the_ledger_says(tmp_path: Path) -> None:
    """The same with few matches."""
    _accounted_for_twice(tmp_path / "run", matches=100, scrapes=2, within_s=200)


def _accounted_for_twice(folder: Path, *, matches: int, scrapes: int, within_s: float) -> None:
    """By the ledger, message by message, and by the counters of the system itself."""
    options = ("--monitoring", "--matches", str(matches), "--scrapes", str(scrapes))
    judged = _run(folder, *options, within_s=within_s)
    checks = {each["name"]: each["verdict"] for each in judged["checks"]}
    assert judged["verdict"] == "valid"
    assert judged["counts"]["accepted"] >= matches * scrapes
    assert checks["the metrics agree with the ledger"] == "valid"


def test_a_run_leaves_its_folder_and_nothing_else(first: tuple[Path, dict[str, Any]]) -> None:
    """Verdict, report, history and logs stay; processes, ports and data do not."""
    folder, _ = first
    assert sorted(each.name for each in folder.iterdir()) == [".runs"]
    kept = {each.name for each in (folder / ".runs" / "latest").iterdir()}
    assert {"verdict.json", "report.html", "history.jsonl", "logs"} <= kept
    logs = {each.name for each in (folder / ".runs" / "latest" / "logs").iterdir()}
    assert {"api-0.log", "broker-0.log", "database-0.log", "worker-1.log"} <= logs
    ours = [
        process.info
        for process in psutil.process_iter(["pid", "cwd", "cmdline"])
        if str(folder) in (process.info["cwd"] or "")
        or str(folder) in " ".join(process.info["cmdline"] or ())
    ]
    assert ours == []


def test_a_finished_run_can_be_judged_again(
    first: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """The history is enough; a changed history changes the verdict."""
    folder = tmp_path / "copied"
    shutil.copytree(first[0], folder, symlinks=True)
    assert _lab(folder, "report").returncode == 0
    history = folder / ".runs" / "latest" / "history.jsonl"
    lines = history.read_text().splitlines()
    receipt = next(line for line in lines if json.loads(line)["event"] == "receipt")
    history.write_text("\n".join(line for line in lines if line != receipt) + "\n")
    judged = _lab(folder, "report")
    assert judged.returncode == 1
    assert "Conservation" in judged.stdout


def test_a_report_on_nothing_says_what_to_do(tmp_path: Path) -> None:
    """No run, no verdict: exit code 2 and one line."""
    done = _lab(tmp_path, "report")
    assert done.returncode == 2
    assert "name the folder of a run" in done.stderr
