"""A server that accepts every connection, and closes it at once."""

from __future__ import annotations

import socket
import threading
import time
from typing import Self

from lab.errors import LabError

LISTEN_S = 0.1
QUIET_WITHIN_S = 20.0


class HangUpServer:
    """Use as a context manager.

    Attributes:
        calls: when each connection came, in seconds of the monotonic clock.
        port: where it listens, on 127.0.0.1.
    """

    def __init__(self) -> None:
        self.calls: list[float] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._socket.settimeout(LISTEN_S)
        self.port: int = self._socket.getsockname()[1]
        self._quiet = threading.Event()
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="hangs-up", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=100 * LISTEN_S)
        self._socket.close()

    def pauses(self) -> list[float]:
        """Seconds between one connection and the next."""
        return [after - before for before, after in zip(self.calls, self.calls[1:], strict=False)]

    @property
    def connections(self) -> int:
        """The number of connections so far, including those not yet accepted."""
        self._quiet.clear()
        if not self._quiet.wait(QUIET_WITHIN_S):
            raise LabError(f"connections to port {self.port} do not stop")
        return len(self.calls)

    def _listen(self) -> None:
        while not self._end.is_set():
            try:
                caller, _ = self._socket.accept()
            except TimeoutError:
                self._quiet.set()
                continue
            self.calls.append(time.monotonic())
            caller.close()
