"""Nothing outlives a lab, however it ends."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lab.substrates.local import cleaning
from lab.tests import trees
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.skipif(
        sys.platform != "linux", reason="needs a subreaper and parent death signals"
    ),
]


class Guarded:
    """A running keeper with a tree below it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.keeper = subprocess.Popen(
            [sys.executable, "-m", "lab.tests.trees", str(folder), "wait"], start_new_session=True
        )
        self.tree = trees.members(folder / "pids")

    def work(self) -> psutil.Process:
        """The process that does the work, once it waits."""
        number = self.folder / "work"
        eventually(
            "the work to be waiting", lambda: number.exists() and number.read_text(), within_s=60
        )
        return psutil.Process(int(number.read_text()))


@pytest.fixture
def guarded(tmp_path: Path) -> Iterator[Guarded]:
    made = Guarded(tmp_path)
    yield made
    made.keeper.kill()
    made.keeper.wait()
    for each in made.tree:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def test_after_a_normal_end(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "lab.tests.trees", str(tmp_path), "leave"], check=False, timeout=120
    )

    assert done.returncode == 7
    members = (tmp_path / "pids").read_text().split()
    assert len(members) == trees.MEMBERS
    assert not any(psutil.pid_exists(int(pid)) for pid in members)
    assert not (tmp_path / ".lab").exists()


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_after_a_signal(guarded: Guarded, number: signal.Signals, code: int) -> None:
    guarded.work()
    guarded.keeper.send_signal(number)

    assert guarded.keeper.wait(60) == code
    trees.wait_gone(guarded.tree, within_s=0)
    assert not (guarded.folder / ".lab").exists()


def test_after_kill_9_of_the_work(guarded: Guarded) -> None:
    guarded.work().kill()

    assert guarded.keeper.wait(60) == 128 + signal.SIGKILL
    trees.wait_gone(guarded.tree, within_s=0)
    # It ended badly, so its logs may say why; nothing else stays.
    assert {each.name for each in (guarded.folder / ".lab/guarded").iterdir()} == {"logs"}


def test_after_kill_9_of_the_keeper(guarded: Guarded) -> None:
    work = guarded.work()
    guarded.keeper.kill()

    trees.wait_gone([work, *guarded.tree])
    assert not (guarded.folder / ".lab").exists()


def test_after_kill_9_of_both_the_services_end_and_the_next_lab_sweeps(guarded: Guarded) -> None:
    work = guarded.work()
    service = guarded.tree[0]
    guarded.keeper.send_signal(signal.SIGSTOP)  # so that it cannot act in between
    work.kill()
    guarded.keeper.kill()
    guarded.keeper.wait()

    trees.wait_gone([work, service])
    assert cleaning.sweep_dead(guarded.folder / ".lab") == ["guarded"]
    assert not (guarded.folder / ".lab").exists()
