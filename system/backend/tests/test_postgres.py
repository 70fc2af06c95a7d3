"""The server that tests start does not outlast them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import psutil
import pytest

GONE_WITHIN_S = 60
HOLDS = """
import time
from system.backend.tests.postgres import running_server
with running_server() as server:
    print(server._process.pid, server._folder, flush=True)
    time.sleep(600)
"""


@pytest.mark.services
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv, of util-linux")
def test_a_server_ends_with_a_run_of_tests_that_is_killed() -> None:
    """SIGKILL: no `finally` of the run is carried out."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS],
        env={**os.environ, "TMPDIR": "/tmp"},  # noqa: S108 - pytest's own is closed to that user
        stdout=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        pid, folder = run.stdout.readline().split()
        server = psutil.Process(int(pid))
        run.kill()
    try:
        server.wait(GONE_WITHIN_S)
    finally:
        shutil.rmtree(folder)
