"""A network of its own for some processes, joined to this one by a cable that can be pulled.

While it is pulled, packets are lost, and nobody acknowledges them. A relay cannot do that: the
kernel goes on acknowledging for a relay that passes nothing on, as it does for a stopped process.

Linux only, and for root only: a network namespace, and a pair of virtual interfaces.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

COMMAND_WITHIN_S = 60
_REMOTE, _STATE, _QUEUES = 2, 3, 4  # columns of /proc/net/tcp
_ESTABLISHED = "01"


class Cable:
    """The way to the processes at the other end.

    Attributes:
        address: of this machine, as they see it.
    """

    def __init__(self, network: subprocess.Popen[str]) -> None:
        assert network.stdout is not None
        if not network.stdout.readline():
            raise OSError(network.communicate()[1].strip())
        holder = network.pid
        # An address block for benchmarks, which no network uses; four addresses for each holder.
        block = holder % 2**14 * 4
        near, far = (f"198.18.{block >> 8}.{(block & 255) + n}" for n in (1, 2))
        self.address = near
        self._enter = ("nsenter", "--target", str(holder), "--net")
        self._name = f"mt{holder}"
        _run("ip", "link", "add", self._name, "type", "veth", "peer", "far", "netns", str(holder))
        _run("ip", "address", "add", f"{near}/30", "dev", self._name)
        _run(*self._enter, "ip", "address", "add", f"{far}/30", "dev", "far")
        for each in ("lo", "far"):
            _run(*self._enter, "ip", "link", "set", each, "up")
        self.plug()

    def plug(self) -> None:
        """Let packets through."""
        _run("ip", "link", "set", self._name, "up")

    def pull(self) -> None:
        """Lose every packet."""
        _run("ip", "link", "set", self._name, "down")

    @contextmanager
    def process(
        self, argv: Sequence[str], env: Mapping[str, str], **more: Any
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a program at the other end; it is killed after the block, or with its parent."""
        command = ["setpriv", "--pdeathsig", "KILL", *self._enter, *argv]
        with subprocess.Popen(command, env=dict(env), text=True, **more) as process:
            try:
                yield process
            finally:
                process.kill()


def unacknowledged(pid: int, port: int) -> bool | None:
    """Whether a process has sent something to that port of which no arrival is known yet.

    None where it has no connection there.
    """
    rows = (line.split() for line in Path(f"/proc/{pid}/net/tcp").read_text().splitlines()[1:])
    queues = [
        row[_QUEUES].split(":")[0]
        for row in rows
        if row[_REMOTE].endswith(f":{port:04X}") and row[_STATE] == _ESTABLISHED
    ]
    return any(int(each, 16) for each in queues) if queues else None


@contextmanager
def laid() -> Iterator[Cable]:
    """A cable that is plugged in.

    Where that is not permitted the test is skipped; as root in CI it fails, so that nobody believes
    that it ran.
    """
    pipe = subprocess.PIPE
    # It ends with its input, so also when this process is killed; and the network with it.
    command = ["unshare", "--net", "sh", "-c", "echo in && exec cat"]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True) as holder:
        try:
            try:
                cable = Cable(holder)
            except (OSError, subprocess.CalledProcessError) as error:
                if os.environ.get("CI") == "true" and os.geteuid() == 0:
                    raise
                pytest.skip(f"packet loss needs root on Linux: {error}")
            yield cable
        finally:
            holder.kill()


def _run(*command: str) -> None:
    subprocess.run(command, check=True, capture_output=True, timeout=COMMAND_WITHIN_S)
