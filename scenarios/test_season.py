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
from rich.console import Console

from lab.checker import verdict
from lab.checker.measures import LATENCY_MEAN
from lab.experiment import season
from lab.paths import PROJECT
from lab.substrates.plan import Plan
from lab.substrates.provider import Provider
from lab.workload import second_sender

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def _lab(folder: Path, *arguments: str, within_s: float = 500) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "lab", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def _run(folder: Path, *arguments: str, within_s: float = 500) -> dict[str, Any]:
    folder.mkdir()
    # Speed is measured elsewhere: a test must not depend on what else the machine does.
    free = ("--page-delay-ms", "0", "--latency-ms", "600000")
    done = _lab(folder, "run", *free, *arguments, within_s=within_s)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "VALID" in done.stdout
    return verdict.read(folder / ".runs" / "latest" / verdict.FILE)


MATCHES, SCRAPES = 50, 2
SEASON = ("--matches", str(MATCHES), "--scrapes", str(SCRAPES))


def _again(substrates: Provider, folder: Path, seed: int, workers: int = 2) -> dict[str, int]:
    """The counts of the same season without the command; one run of it is enough for that."""
    plan = Plan(seed=seed, matches=MATCHES, page_delay_ms=0, workers=workers)
    with substrates.opened(f"season-{os.getpid()}-{folder.name}", folder) as place:
        season.run(
            place,
            plan,
            scrapes=SCRAPES,
            objectives={LATENCY_MEAN: 600_000},
            console=Console(quiet=True),
            runs=folder / "runs",
        )
    judged = verdict.read(folder / "runs" / "latest" / verdict.FILE)
    assert judged["verdict"] == "valid"
    return dict(judged["counts"])


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The folder that a season was run in, and its verdict. Nothing may be changed in there."""
    folder = tmp_path_factory.mktemp("season") / "first"
    return folder, _run(folder, *SEASON, "--seed", "11", "--monitoring")


@pytest.mark.laboratory
def test_the_same_seed_gives_the_same_counts_and_another_seed_others(
    first: tuple[Path, dict[str, Any]], substrates: Provider, tmp_path: Path
) -> None:
    """A run can be repeated: what happened in it follows from the seed."""
    _, judged = first
    assert judged["counts"] == _again(substrates, tmp_path / "again", 11)
    assert judged["counts"] != _again(substrates, tmp_path / "other", 12, workers=1)
    assert judged["counts"]["accepted"] == 2 * (50 + 13) + second_sender.MATCHES_MAX
    assert judged["counts"]["dead_lettered"] == 2 * 10


@pytest.mark.long
@pytest.mark.timeout(1860)
def test_ten_thousand_matches_are_accounted_for_and_the_metrics_say_the_same(
    tmp_path: Path,
) -> None:
    """10,000 matches, observed twice, while Prometheus watches: some 20,000 messages."""
    options = ("--monitoring", "--matches", "10000", "--scrapes", "2")
    _accounted_for_twice(_run(tmp_path / "run", *options, within_s=1800), matches=20_000)


def test_the_metrics_say_what_the_ledger_says(first: tuple[Path, dict[str, Any]]) -> None:
    """The same with few matches."""
    _accounted_for_twice(first[1], matches=MATCHES * SCRAPES)


def _accounted_for_twice(judged: dict[str, Any], matches: int) -> None:
    """By the ledger, message by message, and by the counters of the system itself."""
    checks = {each["name"]: each["verdict"] for each in judged["checks"]}
    assert judged["verdict"] == "valid"
    assert judged["counts"]["accepted"] >= matches
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
