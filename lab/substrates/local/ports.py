"""Free ports for one lab, below the range that the system hands out by itself.

A lab takes a block of ports and holds the first of them open for as long as it lives, so that two
labs never share a block, no matter who started them and when. The other ports of the
block are tested by binding; another program can still take one in between, so the starter asks for
another when a service loses that race.
"""

from __future__ import annotations

import random
import socket

from lab.errors import CannotRun

HOST = "127.0.0.1"
FIRST = 20_000
LAST = 32_000
BLOCK = 60


def is_free(port: int) -> bool:
    """Whether this machine would let a server listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
    return True


class Ports:
    """A block of ports that no other lab uses. `take` gives them out one by one."""

    def __init__(self, chance: random.Random | None = None) -> None:
        """Find and hold a block.

        Args:
            chance: the order in which blocks are tried; random if not given.

        Raises:
            CannotRun: every block is taken.
        """
        starts = list(range(FIRST, LAST - BLOCK + 1, BLOCK))
        (chance or random.SystemRandom()).shuffle(starts)
        for start in starts:
            held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                held.bind((HOST, start))
                held.listen(1)
            except OSError:
                held.close()
                continue
            self._held = held
            self._left = list(range(start + 1, start + BLOCK))
            self.first = start
            return
        raise CannotRun(
            f"no block of {BLOCK} free ports between {FIRST} and {LAST} on {HOST}; "
            "end labs that you no longer need (lab status, lab down)"
        )

    def take(self) -> int:
        """Return a port that is free now and was not given out before.

        Raises:
            CannotRun: the block is used up.
        """
        while self._left:
            port = self._left.pop(0)
            if is_free(port):
                return port
        raise CannotRun(f"the {BLOCK} ports from {self.first} are used up or taken by others")

    def release(self) -> None:
        """Let others have the block."""
        self._held.close()
