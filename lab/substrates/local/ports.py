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
BLOCKS_MAX = 3
"""For one lab; it needs one, unless others took what is in it."""


def is_free(port: int) -> bool:
    """Whether this machine would let a server listen on `port` now."""
    return _refusal(port) is None


def _refusal(port: int) -> OSError | None:
    """Why no server may listen on `port` now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return error
    return None


class Ports:
    """Ports that no other lab uses. `take` gives them out one by one.

    Where strangers have a whole block, the next one is taken.
    """

    def __init__(self, chance: random.Random | None = None) -> None:
        """Find and hold a block.

        Args:
            chance: the order in which blocks are tried; random if not given.

        Raises:
            CannotRun: every block is taken.
        """
        self._starts = list(range(FIRST, LAST - BLOCK + 1, BLOCK))
        (chance or random.SystemRandom()).shuffle(self._starts)
        self._held: list[socket.socket] = []
        self._left: list[int] = []
        self.first = self._hold()

    def take(self) -> int:
        """Return a port that is free now and was not given out before.

        Raises:
            CannotRun: the blocks that a lab may have are used up.
        """
        refusal: OSError | None = None
        while self._left or len(self._held) < BLOCKS_MAX:
            if not self._left:
                self._hold()
            port = self._left.pop(0)
            refusal = _refusal(port)
            if refusal is None:
                return port
        raise CannotRun(
            f"{BLOCKS_MAX} blocks of {BLOCK} ports, the first from {self.first}, are used up or"
            f" taken by others{f' ({refusal})' if refusal else ''}"
        )

    def release(self) -> None:
        """Let others have them."""
        for held in self._held:
            held.close()

    def _hold(self) -> int:
        """Hold one more block; return its first port."""
        while self._starts:
            start = self._starts.pop(0)
            held = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                held.bind((HOST, start))
                held.listen(1)
            except OSError:
                held.close()
                continue
            self._held.append(held)
            self._left = list(range(start + 1, start + BLOCK))
            return start
        raise CannotRun(
            f"no block of {BLOCK} free ports between {FIRST} and {LAST} on {HOST}; "
            "end labs that you no longer need (lab status, lab down)"
        )
