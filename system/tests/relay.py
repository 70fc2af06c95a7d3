"""A TCP relay for tests: between a client and a server, it can cut, or fall silent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class Relay:
    """Passes bytes on, until told otherwise.

    Attributes:
        port: where it listens.
        accepted: connections so far.
    """

    def __init__(self, host: str, port: int, at: str) -> None:
        self.accepted = 0
        self._to = (host, port)
        self._listener = socket.create_server((at, 0))
        self.port = int(self._listener.getsockname()[1])
        self._lock = threading.Lock()
        self._links: list[tuple[socket.socket, socket.socket, threading.Event]] = []
        self._cut_after: int | None = None
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def cut(self) -> None:
        """End every connection there is now, on both sides."""
        with self._lock:
            for client, server, _ in self._links:
                _end(client)
                _end(server)

    def cut_after(self, count: int) -> None:
        """End the connection that brings the next `count` bytes from the client, just then."""
        self._cut_after = count

    def silence(self) -> None:
        """Keep every connection there is now, and pass nothing on over it any more."""
        with self._lock:
            for _, _, silent in self._links:
                silent.set()

    def close(self) -> None:
        """End everything."""
        _end(self._listener)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join(timeout=10)
        for client, server, _ in self._links:
            client.close()
            server.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.accepted += 1
                server, silent = socket.create_connection(self._to, timeout=30), threading.Event()
                server.settimeout(None)
                with self._lock:
                    self._links.append((client, server, silent))
                for source, sink in ((client, server), (server, client)):
                    thread = threading.Thread(target=self._pass_on, args=(source, sink, silent))
                    self._threads.append(thread)
                    thread.start()

    def _pass_on(self, source: socket.socket, sink: socket.socket, silent: threading.Event) -> None:
        from_client = sink.getpeername() == self._to
        with suppress(OSError):
            while data := source.recv(4096):
                if from_client and self._cut_after is not None:
                    self._cut_after -= len(data)
                    if self._cut_after <= 0:
                        self._cut_after = None
                        break
                if not silent.is_set():
                    sink.sendall(data)
        if not silent.is_set():
            _end(source)
            _end(sink)


def _end(link: socket.socket) -> None:
    with suppress(OSError):
        link.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(host: str, port: int, at: str = "127.0.0.1") -> Iterator[Relay]:
    """Run a relay to `host:port`, which listens on the address `at`."""
    between = Relay(host, port, at)
    try:
        yield between
    finally:
        between.close()
