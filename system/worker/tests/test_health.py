"""The signs say what is so: whether the worker consumes, and whether it lives."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.worker.health import EVERY_S, is_fresh
from system.worker.tests import own_worker
from system.worker.tests.bench import Bench, until

VAIN = "cannot connect to the broker"
"""What a worker says of each attempt that failed."""
TWICE = 2


def test_a_file_counts_as_long_as_it_is_young(tmp_path: Path) -> None:
    sign = tmp_path / "ready"
    assert not is_fresh(sign)
    sign.touch()
    assert is_fresh(sign)
    os.utime(sign, (0, time.time() - 31))
    assert not is_fresh(sign)
    assert is_fresh(sign, max_age_s=60)


def test_the_command_says_it_with_its_exit_code_and_needs_no_library(tmp_path: Path) -> None:
    """A probe runs every few seconds, so it must not start the whole worker."""
    sign = tmp_path / "ready"
    command = [sys.executable, "-X", "importtime", "-m", "system.worker.health", str(sign)]
    missing = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert missing.returncode == 1
    assert "is not there" in missing.stdout
    assert "celery" not in missing.stderr
    sign.touch()
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).returncode == 0
    os.utime(sign, (0, time.time() - 100))
    old = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert old.returncode == 1
    assert "seconds old" in old.stdout


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.faults
def test_a_stopped_loop_is_old_in_both_files_and_a_missing_broker_in_the_ready_file_only(
    open_lab: Callable[..., Any], tmp_path: Path
) -> None:
    alive = tmp_path / "alive"
    bench = Bench(open_lab(settings={"worker": {"MISSING_TABLE_ALIVE_FILE": str(alive)}}))
    ready = bench.ready_file

    def both(max_age_s: float) -> bool:
        return is_fresh(ready, max_age_s) and is_fresh(alive, max_age_s)

    first = {file: file.stat().st_mtime for file in (ready, alive)}
    until(
        "both files to be touched again",
        lambda: all(file.stat().st_mtime > then for file, then in first.items()),
        within_s=60,
    )
    bench.lab.substrate.pause("worker")
    until(
        "both to grow old",
        lambda: not is_fresh(ready, 2 * EVERY_S) and not is_fresh(alive, 2 * EVERY_S),
        within_s=60,
    )
    bench.lab.substrate.resume("worker")
    until("both to be young again", lambda: both(EVERY_S))
    bench.lab.substrate.kill("broker")
    until("the ready file to be gone", lambda: not ready.exists())
    # It waits between two attempts to connect for 2 s, then 4 s, then 6 s …: by their number, the
    # times at which the file was touched while no more were made.
    touched: dict[int, set[float]] = {}

    def in_two_pauses() -> bool:
        before = bench.whole_log().count(VAIN)
        at = alive.stat().st_mtime
        if 0 < before == bench.whole_log().count(VAIN):
            touched.setdefault(before, set()).add(at)
        return sum(len(times) >= TWICE for times in touched.values()) >= TWICE

    until("the alive file to be touched twice in each of two pauses", in_two_pauses, within_s=120)
    assert not ready.exists()
    bench.lab.substrate.start("broker")
    until("both to be young with the connection", lambda: both(EVERY_S), within_s=60)
    bench.lab.substrate.terminate("worker", within_s=60)
    assert not ready.exists()


@pytest.mark.services
def test_a_worker_ends_in_order_also_while_it_still_asks_its_services(tmp_path: Path) -> None:
    """As process 1 of a container it would not hear SIGTERM at all without a handler of its own."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(90)
        settings: dict[str, str | Path] = {
            "broker_url": "amqp://worker:secret@127.0.0.1:1/%2F",
            "api_url": f"http://127.0.0.1:{silent.getsockname()[1]}",
            "api_token": "secret",
        }
        with own_worker.running(tmp_path / "worker.log", **settings) as worker:
            asking, _ = silent.accept()  # and never answered
            with asking:
                worker.terminate()
                # Python hears a signal that comes just before a wait only after it: here when the
                # answer has failed to come for 10 s.
                assert worker.wait(timeout=60) == 0


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(300)
def test_a_worker_that_never_reached_a_broker_says_that_it_lives_and_is_not_ready(
    tmp_path: Path,
) -> None:
    """Also the ready file of a worker that was killed is no sign of the next one."""
    ready, alive = tmp_path / "ready", tmp_path / "alive"
    ready.touch()
    settings: dict[str, str | Path] = {
        "broker_url": "amqp://worker:secret@127.0.0.1:1/%2F",
        "api_url": "http://127.0.0.1:1",
        "api_token": "secret",
        "ready_file": ready,
        "alive_file": alive,
    }
    with own_worker.running(tmp_path / "worker.log", **settings):
        until("the alive file", alive.exists)
        for _ in range(3):
            last = alive.stat().st_mtime
            until(
                "it to be touched again",
                lambda: alive.stat().st_mtime > last,  # noqa: B023
                within_s=60,
            )
        assert not ready.exists()
