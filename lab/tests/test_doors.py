"""The lab's commands are found, say what there is, and cut nothing; no services."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from lab.cli import runs as past
from lab.cli.app import app
from lab.cli.season import moment_of
from lab.cli.slo import is_idle
from lab.cli.up import next_steps
from lab.errors import CannotRun
from lab.experiment import runs
from lab.experiment.season import left
from lab.paths import PROJECT
from lab.report import conclude
from lab.slo.evaluate import NO_TRAFFIC, SloResult, SloState
from lab.substrates.local.detached import command_of
from lab.substrates.local.instance import Instance


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of one's own to type in."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, words)
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.exit_code, done.output


def test_it_says_which_it_is_and_where() -> None:
    assert typed("--version") == (0, f"Missing Table messaging lab 0.1.0, in {PROJECT}\n")


@pytest.mark.parametrize("command", [None, "up", "run", "fault", "ctl"])
def test_help_is_plain_and_not_cut_in_a_narrow_terminal(command: str | None) -> None:
    done = CliRunner(env={"COLUMNS": "80"}).invoke(app, [*([command] if command else []), "--help"])
    lines = done.output.splitlines()
    assert [line for line in lines[1:] if line.rstrip().endswith(("...", "…"))] == []
    assert not set("╭│╰") & set(done.output)
    assert max(map(len, lines)) <= 80


def test_every_command_has_help_that_begins_with_a_sentence() -> None:
    group = typer.main.get_command(app)
    shown = {name: command.help or "" for name, command in group.commands.items()}  # type: ignore[attr-defined]
    assert {"list", "runs", "status", "load"} <= shown.keys()
    assert [name for name, text in shown.items() if not text.strip()] == []


def test_every_lab_of_the_folder_is_listed_with_what_it_does(here: Path) -> None:
    assert "No lab runs in this folder" in typed("list")[1]
    one, two = Instance.named("default"), Instance.named("run-12ab")
    with one.claimed(), two.claimed():
        one.begin()
        two.begin()
        code, said = typed("list")
        found = json.loads(typed("list", "--json")[1])

    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == ["lab", "default", "run-12ab"]
    assert [each["name"] for each in found] == ["default", "run-12ab"]
    assert all("pytest" in each["doing"] or each["doing"] for each in found)


def test_status_finds_the_only_lab_that_runs_and_repeats_where_it_answers(here: Path) -> None:
    """As while `make lab` goes on in another terminal."""
    assert typed("status")[0] == 2
    ends = {
        "api_url": "http://127.0.0.1:81",
        "api_token": "secret-token",
        "broker_urls": {"admin": "amqp://admin:secret@127.0.0.1/"},
        "management_url": "http://127.0.0.1:82",
        "metrics_url": "",
        "results_url": "",
        "database_url": "",
        "site_url": "http://127.0.0.1:83",
        "prometheus_url": "http://127.0.0.1:84",
    }
    instance = Instance.named("run-12ab")
    with instance.claimed():
        instance.begin()
        instance.change(phase="up", endpoints=ends)
        code, said = typed("status")
        other = Instance.named("second")
        with other.claimed():
            other.begin()
            with pytest.raises(CannotRun, match="choose one by --name: run-12ab, second"):
                typed("status")

    assert code == 0
    for place in ("http://127.0.0.1:81/openapi.json", "http://127.0.0.1:83", "http://127.0.0.1:84"):
        assert place in said
    assert "The lab 'run-12ab'" in said
    assert "secret" not in said


@pytest.mark.parametrize(
    ("argv", "command"),
    [
        (["/x/python", "-m", "lab", "hold", "default", "--substrate", "local"], "lab up"),
        (["/x/python", "/y/.venv/bin/lab", "run", "--scrapes", "2"], "lab run"),
        (["/x/python", "/y/.venv/bin/lab", "phase", "3", "--only", "x"], "lab phase 3"),
        (["/x/python", "/y/lab", "up", "--foreground", "--webhook", "https://secret"], "lab up"),
        (["/x/python", "-m", "pytest", "lab/tests"], "pytest"),
        (["/x/python", "-m", "ipykernel_launcher", "-f", "x.json"], "ipykernel_launcher"),
        ([], ""),
    ],
)
def test_what_a_lab_does_is_the_command_that_holds_it(argv: list[str], command: str) -> None:
    assert command_of(argv) == command


def test_runs_are_listed_with_their_verdicts(here: Path) -> None:
    assert "No run is kept" in typed("runs")[1]
    season, phase, killed = (runs.new_folder(name) for name in ("season", "phase0", "load-steady"))
    verdict = {"verdict": "valid", "counts": {"accepted": 5285}, "seconds": 66.5}
    (season / "verdict.json").write_text(json.dumps(verdict))
    (season / "report.html").write_text("")
    (phase / "evidence.json").write_text('{"verdict": "unknown", "seconds": 6}')
    (killed / "verdict.json").write_text("[] or not even JSON")

    lines = {line.split()[-1]: line for line in typed("runs")[1].splitlines()}
    assert "✓" in lines[str(season)]
    assert "5,285" in lines[str(season)]
    assert "?" in lines[str(phase)]
    assert "-" in lines[str(killed)].split()
    assert f"{season}/report.html" in lines
    assert past.read(killed).verdict == ""


def test_the_latest_run_is_one_of_its_kind(here: Path) -> None:
    """After a season and a phase, objectives and reports are those of the season."""
    season, phase = runs.new_folder("season"), runs.new_folder("phase0")
    (season / "history.jsonl").write_text("")
    (phase / "evidence.json").write_text("{}")

    assert runs.newest_with("history.jsonl") == season
    assert runs.newest_with("prometheus") is None
    assert (runs.RUNS / "latest").resolve() == phase.resolve()
    assert (runs.RUNS / "latest-season").resolve() == season.resolve()
    assert (runs.RUNS / "latest-phase0").resolve() == phase.resolve()
    assert set(runs.folders()) == {season, phase}


def test_a_mistyped_choice_makes_no_run_and_lists_what_there_is(
    here: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    module = tmp_path_factory.mktemp("scenarios") / "test_phase9_x.py"
    module.write_text("def test_a_queue_is_a_buffer(): pass\ndef test_b(): pass\n")
    done = subprocess.run(
        [sys.executable, "-c", CHOOSE, str(module)],
        cwd=here,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={"PATH": "/usr/bin:/bin", "PYTHONPATH": str(PROJECT)},
    )
    assert done.returncode == 0, done.stderr
    assert "no experiment matches --only 'bufer'; there are:\n  a_queue" in done.stdout
    assert list(here.iterdir()) == []


CHOOSE = """
import sys
from pathlib import Path
from lab.errors import CannotRun
from lab.phases import runner
modules = [Path(sys.argv[1])]
try:
    runner.check_choice(modules, "bufer")
except CannotRun as error:
    print(error)
"""


def test_what_comes_next_can_be_typed() -> None:
    for line in next_steps("mine"):
        words = line.split("  ")[0].split()[1:]
        assert CliRunner().invoke(app, [*words[:1], "--help"]).exit_code == 0, line
        assert words[-2:] == ["--name", "mine"]


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2025-10-18", datetime(2025, 10, 18, tzinfo=UTC)),
        ("2025-10-18T12:00:00-04:00", datetime(2025, 10, 18, 16, tzinfo=UTC)),
    ],
)
def test_a_day_or_a_time_says_as_of_when_the_site_is_read(text: str, moment: datetime) -> None:
    assert moment_of(text) == moment


def test_what_is_no_day_is_refused_before_anything_is_looked_for() -> None:
    with pytest.raises(CannotRun, match="--at must be a day or a time like 2025-10-18, not 'soon'"):
        typed("scrape", "--at", "soon")


def test_a_season_says_how_long_it_still_takes() -> None:
    assert left(20.0, 2, 5) == "; about 30 s left"
    assert left(50.0, 5, 5) == ""


def test_what_is_cut_short_is_kept_and_one_is_told_how_to_judge_it(here: Path) -> None:
    folder = runs.new_folder("season")
    console = Console(file=StringIO(), width=200)
    conclude.cut_short(folder, console)
    assert isinstance(console.file, StringIO)
    said = console.file.getvalue()
    assert f"What was recorded so far is in {folder};" in said
    (hint,) = re.findall(r"`(.*)` judges it\.", said)
    program, *rest = shlex.split(hint)  # quoted where a folder's name asks for it
    assert Path(program).name == "lab"
    assert rest == ["report", str(folder)]
    assert json.loads((folder / "verdict.json").read_text())["verdict"] == "unknown"


def test_only_a_lab_that_did_nothing_is_idle() -> None:
    """Not one whose counters were not scraped: that is a defect, and `make slo` must not pass."""

    def unknown(because: str) -> SloResult:
        return SloResult("success", "99 %", SloState.UNKNOWN, "ratio", because=because)

    assert is_idle([unknown(NO_TRAFFIC)])
    assert not is_idle([unknown(NO_TRAFFIC), unknown("there is no x: it was not scraped")])
    assert not is_idle([SloResult("success", "99 %", SloState.MET, "ratio")])


def test_the_doctor_of_a_bare_checkout_says_what_to_do_and_installs_nothing(tmp_path: Path) -> None:
    """`make doctor` on the sick machine: no .venv, no programs; a package manager is not asked."""
    script = tmp_path / "lab/dev/setup/setup.sh"
    script.parent.mkdir(parents=True)
    script.write_text((PROJECT / "lab/dev/setup/setup.sh").read_text())
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "dirname", "sed", "uname", "grep", "echo", "cat"):
        (programs / name).symlink_to(shutil.which(name) or "/bin/false")
    for name in ("apt-get", "brew", "sudo"):
        (programs / name).write_text("#!/bin/sh\necho asked; exit 1\n")
        (programs / name).chmod(0o755)
    done = subprocess.run(
        ["sh", str(script), "doctor"],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2
    assert "missing on this machine: python" in done.stdout
    assert "`make setup` brings what is missing; nothing was installed" in done.stdout
    assert "asked" not in done.stdout
    assert sorted(each.name for each in tmp_path.iterdir()) == ["bin", "lab"]
    assert "\ndoctor: ##" in (PROJECT / "Makefile").read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="is about root")
def test_root_may_open_the_notebooks() -> None:
    shown = subprocess.run(
        ["make", "--dry-run", "jupyter"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    ).stdout
    (line,) = [each for each in shown.splitlines() if "jupyter lab" in each]
    typed_ = line.lstrip("@").replace(".venv/bin/jupyter", "echo jupyter")
    done = subprocess.run(["sh", "-c", typed_], capture_output=True, text=True, check=True)
    assert done.stdout == "jupyter lab --allow-root notebooks\n"
