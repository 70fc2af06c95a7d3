"""`lab up`, `lab status`, `lab down`, as a person types them."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from lab.paths import PROJECT
from lab.substrates.local.instance import Instance
from lab.tests import trees
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

QUICK = ("--workers", "1", "--concurrency", "1", "--matches", "40", "--no-monitoring")


class Terminal:
    """A folder in which the lab's commands are typed."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._env = {**os.environ, "PYTHONPATH": str(PROJECT), "COLUMNS": "200"}

    def begin(self, *words: str) -> subprocess.Popen[str]:
        """Type a command and do not wait for it."""
        return subprocess.Popen(
            [sys.executable, "-m", "lab", *words],
            cwd=self.folder,
            env=self._env,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def lab(self, *words: str) -> tuple[int, str]:
        """Type a command; return its exit code and what it prints."""
        command = self.begin(*words)
        said, _ = command.communicate(timeout=400)
        return command.returncode, said


@pytest.fixture
def terminal(tmp_path: Path) -> Iterator[Terminal]:
    made = Terminal(tmp_path)
    yield made
    for name in ("default", "other"):
        made.lab("down", "--name", name)


def members_of(folder: Path, name: str) -> list[psutil.Process]:
    """The lab's keeper, and every process below it, written down or not."""
    state = Instance.named(name, folder / ".lab").read()
    assert state is not None
    keeper = psutil.Process(state.keeper)
    return [keeper, *keeper.children(recursive=True)]


def test_a_lab_goes_on_until_it_is_taken_down(terminal: Terminal) -> None:
    code, said = terminal.lab("up", *QUICK)
    assert code == 0, said
    assert "league site" in said
    state = (terminal.folder / ".lab/default/state.json").read_text()
    token = json.loads(state)["endpoints"]["api_token"]
    assert token not in said
    assert "state.json" in said

    code, said = terminal.lab("status", "--json")
    assert (code, json.loads(said)["verdict"]) == (0, "up")

    members = members_of(terminal.folder, "default")
    assert terminal.lab("up", *QUICK)[0] == 2

    broker = next(line for line in json.loads(said)["lines"] if line["name"] == "broker-0")
    psutil.Process(broker["pid"]).kill()
    eventually(
        "a lab without broker to be degraded", lambda: terminal.lab("status")[0] == 1, within_s=60
    )

    assert terminal.lab("down")[0] == 0
    trees.wait_gone(members, within_s=0)
    assert not (terminal.folder / ".lab").exists()
    assert terminal.lab("status")[0] == 2
    assert terminal.lab("down") == (0, "The lab 'default' was not running.\n")


def test_two_labs_come_up_in_the_same_moment(terminal: Terminal) -> None:
    both = [terminal.begin("up", "--name", name, *QUICK) for name in ("default", "other")]
    for each in both:
        said, _ = each.communicate(timeout=400)
        assert each.returncode == 0, said

    assert [terminal.lab("status", "--name", name)[0] for name in ("default", "other")] == [0, 0]


def test_a_lab_whose_keepers_were_killed_is_swept_by_down(terminal: Terminal) -> None:
    code, said = terminal.lab("up", *QUICK)
    assert code == 0, said
    members = members_of(terminal.folder, "default")
    keeper, work = members[0], members[0].children()[0]
    keeper.send_signal(signal.SIGSTOP)
    work.kill()
    keeper.kill()
    keeper.wait()

    assert terminal.lab("down") == (0, "The lab 'default' has ended.\n")

    trees.wait_gone(members, within_s=20)
    assert not (terminal.folder / ".lab").exists()


def test_a_database_whose_lab_was_killed_and_its_folder_lost_is_swept(terminal: Terminal) -> None:
    code, said = terminal.lab("up", *QUICK)
    assert code == 0, said
    state = Instance.named("default", terminal.folder / ".lab").read()
    assert state is not None
    members = members_of(terminal.folder, "default")
    members[0].send_signal(signal.SIGSTOP)
    members[0].children()[0].kill()
    members[0].kill()
    trees.wait_gone(members)
    shutil.rmtree(terminal.folder / ".lab")

    terminal.lab("down")

    assert not [home for home in state.elsewhere if Path(home).exists()]


def test_ctrl_c_while_it_starts_ends_all_of_it(terminal: Terminal) -> None:
    starting = terminal.begin("up", *QUICK)
    instance = Instance.named("default", terminal.folder / ".lab")

    def some_run() -> bool:
        state = instance.read()
        return state is not None and len(state.processes) >= 3

    eventually("some services to run", some_run, within_s=120)
    members = members_of(terminal.folder, "default")
    starting.send_signal(signal.SIGINT)
    starting.communicate(timeout=200)

    trees.wait_gone(members, within_s=0)
    assert not (terminal.folder / ".lab").exists()
