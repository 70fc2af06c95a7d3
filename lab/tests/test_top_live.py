"""`lab top` as a person uses it: on a lab that runs, in a terminal, healthy and broken."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.cli.app import app
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData, NoDataReason
from lab.errors import CannotRun, NotWithin
from lab.experiment.lab import Lab
from lab.experiment.plugin import Stage, running
from lab.paths import PROJECT
from lab.substrates.local import Local
from lab.substrates.local.instance import BASE
from lab.substrates.local.service import environment
from lab.substrates.plan import Role
from lab.top.collect import load_curves, take_snapshot
from lab.top.snapshot import MEAN_CURVE, QueueSnapshot, Snapshot, WorkerSnapshot
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WITHIN_S = 60.0
TOP = "import typer; from lab.cli.top import command; typer.run(command)"
"""As `python -m lab top`, without loading all other commands."""
Top = Callable[..., Any]
ALTERNATE, BACK = "\x1b[?1049h", "\x1b[?1049l"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the commands run in; its labs are found there."""
    folder = tmp_path_factory.mktemp("top")
    (folder / BASE).symlink_to(folder / "lab")
    return folder


@pytest.fixture(scope="module")
def lab(place: Path) -> Iterator[Lab]:
    """A watched lab, through which messages have come."""
    with running(Stage.below(place), {"monitoring": True, "matches": 20}) as lab:
        lab.scrape(lab.season.moments(2)[0], 0)
        lab.settle()
        yield lab


@pytest.fixture
def top(lab: Lab, place: Path, monkeypatch: pytest.MonkeyPatch) -> Top:
    """Run `lab top` where the lab is found and where there is no terminal."""
    monkeypatch.chdir(place)
    runner = CliRunner(env={"COLUMNS": "80"})
    return lambda *arguments: runner.invoke(app, ["top", *arguments])


def seen(lab: Lab, what: str, so: Callable[[Snapshot], object]) -> Snapshot:
    """Look until a snapshot is so: what Prometheus is told of shows with its next scrapes."""
    assert lab.endpoints.prometheus_url is not None
    last: list[Snapshot] = []
    with Prometheus(lab.endpoints.prometheus_url) as prometheus:

        def look() -> object:
            last[:] = [take_snapshot(prometheus)]
            return so(last[0])

        try:
            eventually(what, look, within_s=WITHIN_S, every_s=0.3)
        except NotWithin as error:
            raise AssertionError(f"{error}: {last[0]}") from error
    return last[0]


def test_one_picture_is_printed_for_scripts(lab: Lab, place: Path) -> None:
    """Without a terminal there is no colour, and no line is longer than asked for."""
    done = subprocess.run(
        [sys.executable, "-m", "lab", "top", "--once"],
        cwd=place,
        env=environment(PYTHONPATH=str(PROJECT), COLUMNS="80"),
        capture_output=True,
        text=True,
        timeout=WITHIN_S,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "\x1b" not in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
    for each in ("process", "dead-letter", "worker-0", "success", "parts answer"):
        assert each in done.stdout
    assert re.search(r"worker-0 +yes +\d/2", done.stdout)


def untold_in(snapshot: Snapshot) -> list[str]:
    """What a snapshot does not tell."""
    parts: list[QueueSnapshot | WorkerSnapshot] = [*snapshot.queues, *snapshot.workers]
    return [
        *(name for name in Snapshot.__slots__ if getattr(snapshot, name) is None),
        *(f"{p.name}.{f.name}" for p in parts for f in fields(p) if getattr(p, f.name) is None),
    ]


def test_every_number_of_a_lab_at_work_is_told(lab: Lab) -> None:
    """No question has an empty answer where the lab runs: not one is misspelt."""
    with lab.load("steady"):
        lab.run_for(6)
        # A worker that misses a scrape on a busy machine is untold until the next one.
        snapshot = seen(lab, "every number", lambda each: each.mean_s and not untold_in(each))
        assert lab.endpoints.prometheus_url is not None
        with Prometheus(lab.endpoints.prometheus_url) as prometheus:
            past = load_curves(prometheus, 1.0)
    assert {each.name for each in snapshot.objectives if each.value is not None} == {
        "success",
        "latency-mean",
        "latency-p99",
    }
    for rates in (snapshot.accepted, snapshot.effects, snapshot.retries, snapshot.dead):
        assert rates
    assert sum(snapshot.effects.values()) > 1
    assert any(each is not None for each in past.last(MEAN_CURVE, 120))


def test_a_fault_is_shown_with_what_comes_of_it(lab: Lab, top: Top) -> None:
    """Cause and effect stand in one picture, and both go."""
    with lab.fault("worker-killed"):
        snapshot = seen(
            lab,
            "the fault and its effect",  # others may miss a scrape on a busy machine
            lambda each: (each.faults, each.unreachable) == (["worker-killed"], ["worker-0"]),
        )
        assert [each.there for each in snapshot.workers] == [False]
        said = top("--once").output
        assert "! broken on purpose: worker-killed" in said
        assert "! unreachable: worker-0" in said

    def well() -> bool:
        nonlocal said
        said = top("--once").output
        return "broken on purpose: nothing" in said and "! unreachable" not in said

    try:
        eventually("the picture to be well again", well, within_s=WITHIN_S, every_s=0.3)
    except NotWithin as error:
        raise AssertionError(said) from error


@dataclass
class Screen:
    """`lab top` in a terminal of its own: its process, and the terminal's other end."""

    process: subprocess.Popen[bytes]
    end: int

    def shows(self, text: str) -> str:
        """Wait until a text is shown from now on; return what was, up to then."""
        shown = ""

        def look() -> bool:
            nonlocal shown
            with suppress(BlockingIOError):
                shown += os.read(self.end, 65536).decode(errors="replace")
            return text in shown

        eventually(f"{text!r} on the screen", look, within_s=WITHIN_S)
        return shown


@contextmanager
def terminal(place: Path) -> Iterator[Screen]:
    """Start `lab top` in a terminal, for the block."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    os.set_blocking(ours, False)
    process = subprocess.Popen(
        [sys.executable, "-c", TOP, "--every", "0.2"],
        cwd=place,
        env=environment(PYTHONPATH=str(PROJECT), TERM="xterm-256color"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
    )
    try:
        yield Screen(process, ours)
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(WITHIN_S)
        os.close(ours)
        os.close(theirs)


@pytest.mark.parametrize("way", ["q", "interrupt", "terminate"])
def test_a_key_or_a_signal_ends_it_and_the_terminal_is_as_before(
    lab: Lab, place: Path, way: str
) -> None:
    """Full screen is left, keys are echoed again, and the exit code is good."""
    assert lab.endpoints.prometheus_url
    with terminal(place) as screen:
        before = termios.tcgetattr(screen.end)
        assert ALTERNATE in screen.shows("worker-0")
        assert termios.tcgetattr(screen.end)[3] != before[3]  # keys are taken one by one
        if way == "q":
            os.write(screen.end, b"q")
        else:
            screen.process.send_signal(signal.SIGINT if way == "interrupt" else signal.SIGTERM)
        screen.shows(BACK)
        assert screen.process.wait(WITHIN_S) == 0
        assert termios.tcgetattr(screen.end) == before


def test_without_a_terminal_it_says_how_to_get_one_picture(top: Top) -> None:
    """A pipe cannot be drawn on."""
    done = top()
    assert isinstance(done.exception, CannotRun)
    assert "--once" in str(done.exception)


def test_nobody_to_ask_is_an_error_that_says_so(lab: Lab, place: Path, top: Top) -> None:
    """A script fails; in a terminal the picture says so, and goes on once there is an answer."""
    assert isinstance(lab.substrate, Local)
    with terminal(place) as screen:
        screen.shows("worker-0")
        lab.substrate.kill(Role.PROMETHEUS)
        try:
            done = top("--once")
            assert isinstance(done.exception, NoData)
            assert done.exception.reason is NoDataReason.UNREACHABLE
            screen.shows("! Prometheus cannot be asked")
        finally:
            lab.substrate.start(Role.PROMETHEUS)
        screen.shows("parts answer")
