"""The sign of life says what is so: there while the worker consumes, and old or gone otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.worker.health import EVERY_S, is_consuming
from system.worker.tests.bench import Bench, until


def test_a_file_counts_as_long_as_it_is_young(tmp_path: Path) -> None:
    sign = tmp_path / "ready"
    assert not is_consuming(sign)
    sign.touch()
    assert is_consuming(sign)
    os.utime(sign, (0, time.time() - 31))
    assert not is_consuming(sign)
    assert is_consuming(sign, max_age_s=60)


def test_the_command_says_it_with_its_exit_code_and_needs_no_library(tmp_path: Path) -> None:
    """A probe runs every few seconds, so it must not start the whole worker."""
    sign = tmp_path / "ready"
    command = [sys.executable, "-X", "importtime", "-m", "system.worker.health", str(sign)]
    missing = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert missing.returncode == 1
    assert "is not there" in missing.stdout
    assert "celery" not in missing.stderr
    sign.touch()
    assert subprocess.run(command, capture_output=True, timeout=30, check=False).returncode == 0
    os.utime(sign, (0, time.time() - 100))
    old = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert old.returncode == 1
    assert "seconds old" in old.stdout


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(180)
def test_the_sign_is_touched_while_consuming_old_while_stopped_and_gone_without_a_broker(
    open_lab: Callable[..., Any],
) -> None:
    bench = Bench(open_lab())
    sign = bench.ready_file
    first = sign.stat().st_mtime
    until("the sign to be touched again", lambda: sign.stat().st_mtime > first, within_s=20)
    bench.lab.substrate.pause("worker")
    until("it to grow old", lambda: not is_consuming(sign, max_age_s=2 * EVERY_S), within_s=20)
    bench.lab.substrate.resume("worker")
    until("it to be young again", lambda: is_consuming(sign, max_age_s=EVERY_S), within_s=20)
    bench.lab.substrate.kill("broker")
    until("it to be gone with the connection", lambda: not sign.exists(), within_s=30)
    bench.lab.substrate.start("broker")
    until("it to come back with the connection", lambda: is_consuming(sign), within_s=60)
    bench.lab.substrate.terminate("worker", within_s=60)
    assert not sign.exists()
