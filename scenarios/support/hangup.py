"""A server in place of the broker that accepts every connection, and closes it at once."""

from __future__ import annotations

import socket
import threading
import time

LISTEN_S = 0.2


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
        self._end = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="hangs-up", daemon=True)

    def __enter__(self) -> HangUpServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join(timeout=10 * LISTEN_S)
        self._socket.close()

    def pauses(self) -> list[float]:
        """Seconds between one connection and the next."""
        return [after - before for before, after in zip(self.calls, self.calls[1:], strict=False)]

    def _listen(self) -> None:
        while not self._end.is_set():
            try:
                caller, _ = self._socket.accept()
            except TimeoutError:
                continue
            self.calls.append(time.monotonic())
            caller.close()
