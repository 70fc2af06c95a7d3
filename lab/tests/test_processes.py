"""Processes are started, watched and ended together with all their children."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from lab.errors import SubstrateError
from lab.substrates.local import cleaning, detached, processes
from lab.substrates.local.instance import Process
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.service import environment
from lab.tests import trees
from lab.wait import eventually


@pytest.fixture
def spawner() -> Iterator[Spawner]:
    made = Spawner()
    yield made
    made.close()


@pytest.fixture
def tree(spawner: Spawner, tmp_path: Path) -> Iterator[tuple[Running, list[psutil.Process]]]:
    command = trees.command(tmp_path / "pids")
    running = Running(spawner.spawn(command, tmp_path / "log"), command)
    found = trees.members(tmp_path / "pids")
    yield running, found
    running.kill()
    for each in found:
        with suppress(psutil.NoSuchProcess):
            each.kill()


def of_session(found: list[psutil.Process]) -> list[psutil.Process]:
    """Those that did not leave the session of their service: it is the last that does."""
    return [each for each in found if os.getsid(each.pid) == found[0].pid]


def test_a_kill_takes_the_children_along(tree: tuple[Running, list[psutil.Process]]) -> None:
    running, found = tree
    own = of_session(found)
    assert len(own) == trees.MEMBERS - 1

    running.kill()

    assert running.ended() == -signal.SIGKILL
    trees.wait_gone(own, within_s=0)


def test_a_child_in_a_session_of_its_own_is_killed_too(spawner: Spawner, tmp_path: Path) -> None:
    pid = tmp_path / "pid"
    script = 'setsid sh -c \'echo $$ > "$0"; exec sleep 600\' "$0" & wait'
    command = Command(("sh", "-c", script, str(pid)), environment(), cwd=tmp_path)
    running = Running(spawner.spawn(command, tmp_path / "log"), command)
    eventually("the child to write its pid", lambda: pid.exists() and pid.read_text(), within_s=60)
    child = psutil.Process(int(pid.read_text()))
    assert os.getsid(child.pid) != os.getsid(running.pid)

    running.kill()

    trees.wait_gone([child], within_s=0)


def test_children_that_outlived_their_parent_are_found(
    tree: tuple[Running, list[psutil.Process]],
) -> None:
    running, found = tree
    own = of_session(found)
    found[0].kill()
    assert running.wait(60)

    processes.kill_tree(running.pid)

    trees.wait_gone(own, within_s=0)


def test_a_paused_tree_stands_still_and_goes_on(
    tree: tuple[Running, list[psutil.Process]],
) -> None:
    running, found = tree
    own = of_session(found)

    def all_in(*states: str) -> bool:
        return all(each.status() in states for each in own)

    running.pause()
    eventually("all to stop", lambda: all_in(psutil.STATUS_STOPPED), within_s=60)
    running.resume()
    eventually("all to go on", lambda: all_in("sleeping", "running"), within_s=60)


BUSY = """
import hashlib, threading
def work():
    while True:
        hashlib.sha256(bytes(1 << 22)).digest()
for _ in range(4):
    threading.Thread(target=work).start()
"""


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are seen in /proc only")
def test_a_pause_has_begun_when_it_returns(spawner: Spawner, tmp_path: Path) -> None:
    """A thread that runs obeys a moment later; what it did then was done by a paused process."""
    command = Command((sys.executable, "-c", BUSY), environment(), cwd=tmp_path)
    running = Running(spawner.spawn(command, tmp_path / "log"), command)
    tasks = Path(f"/proc/{running.pid}/task")
    eventually("its threads", lambda: len([*tasks.iterdir()]) == 5, within_s=60)
    seen = set()
    for _ in range(40):
        running.pause()
        seen |= {
            (each / "stat").read_text().rpartition(")")[2].split()[0] for each in tasks.iterdir()
        }
        running.resume()
    running.kill()
    assert seen == {"T"}


def test_a_paused_process_can_be_asked_to_end(spawner: Spawner, tmp_path: Path) -> None:
    command = Command(("sleep", "600"), environment(), cwd=tmp_path)
    running = Running(spawner.spawn(command, tmp_path / "log"), command)
    running.pause()

    running.send(signal.SIGTERM)

    assert running.wait(60)


def test_a_recorded_process_is_ended_but_not_a_stranger_with_its_pid(
    tree: tuple[Running, list[psutil.Process]],
) -> None:
    running, found = tree
    own = of_session(found)
    stranger = Process("x-0", running.pid, started=running.started + 100, end=signal.SIGKILL)
    cleaning.end([stranger], descendants=False)
    assert all(processes.is_alive(each) for each in own)

    itself = Process("x-0", running.pid, started=running.started, end=signal.SIGTERM)
    cleaning.end([itself], descendants=False)

    trees.wait_gone(own, within_s=0)


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere a start is a time of day")
def test_a_process_stays_itself_though_the_time_of_day_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Psutil works times out from the boot time, which moves when the clock is set or slewed."""
    begun, by_the_clock = processes.start_time(os.getpid()), psutil.Process().create_time()
    later = psutil.boot_time() + 3
    monkeypatch.setattr("psutil._pslinux.boot_time", lambda: later)
    assert psutil.Process().create_time() > by_the_clock + 2
    assert processes.start_time(os.getpid()) == begun
    assert detached._line("itself", os.getpid(), begun, []).state == "up"
    assert detached._line("another", os.getpid(), begun + 1, []).state == "gone"


def test_a_program_that_is_not_there_is_named(spawner: Spawner, tmp_path: Path) -> None:
    command = Command(("sleep",), environment(), cwd=tmp_path / "nowhere")

    with pytest.raises(SubstrateError, match="nowhere"):
        spawner.spawn(command, tmp_path / "log")


def test_what_a_process_reads_and_says_goes_through_files_and_pipes(
    spawner: Spawner, tmp_path: Path
) -> None:
    command = Command(("cat",), environment(), cwd=tmp_path, stdin="not on a command line\n")
    log = tmp_path / "log"
    log.write_text("before\n")

    assert Running(spawner.spawn(command, log), command).wait(60)

    assert log.read_text() == "before\nnot on a command line\n"


@pytest.mark.skipif(sys.platform != "linux", reason="needs parent death signals")
def test_a_service_ends_when_its_lab_is_killed_without_a_word(tmp_path: Path) -> None:
    lab = f"""
import pathlib, threading
from lab.substrates.local.processes import Spawner
from lab.tests import trees
folder = pathlib.Path({str(tmp_path)!r})
spawner = Spawner()
spawner.spawn(trees.command(folder / "pids"), folder / "log")
threading.Event().wait()
"""
    with subprocess.Popen([sys.executable, "-c", lab]) as parent:
        try:
            found = trees.members(tmp_path / "pids")
        finally:
            parent.kill()

    try:
        trees.wait_gone(found[:1])
    finally:
        for each in found:
            with suppress(psutil.NoSuchProcess):
                each.kill()
