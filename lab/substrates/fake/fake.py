"""A system that seems to be up, seen from outside, and does nothing."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from functools import partial

from lab.errors import SubstrateError
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Log

HOST = "127.0.0.1"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok"
_SERVED = (Role.BROKER, Role.RESULTS, Role.DATABASE, Role.API, Role.SITE)


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


class _Handler(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        self.request.settimeout(2)
        try:
            if self.request.recv(4096):
                self.request.sendall(_ANSWER)
        except OSError:
            return


class _Process:
    """One process of a role: a socket that answers, for those that are served."""

    def __init__(self, name: str, *, served: bool) -> None:
        self.name = name
        self.port = 0
        self.lines: list[bytes] = []
        self._served = served
        self._server: _Server | None = None
        self.start()

    def start(self) -> None:
        if self._server is None and self._served:
            self._server = _Server((HOST, self.port), _Handler)
            self.port = self._server.server_address[1]
            serve = partial(self._server.serve_forever, poll_interval=0.01)
            threading.Thread(target=serve, name=self.name, daemon=True).start()
        self.lines.append(f"{self.name} is up\n".encode())

    def end(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            server.shutdown()
            server.server_close()


class Fake:
    """Killable and Scalable, and nothing more."""

    name = "fake"

    def __init__(self) -> None:
        self._processes: dict[tuple[Role, int], _Process] = {}

    def up(self, plan: Plan) -> Endpoints:
        """Open every socket."""
        for role in _SERVED:
            self._processes[role, 0] = _Process(f"{role}-0", served=True)
        for index in range(plan.workers):
            self._processes[Role.WORKER, index] = _Process(f"worker-{index}", served=False)
        ports = {role: self._processes[role, 0].port for role in _SERVED}
        broker = f"amqp://user:secret@{HOST}:{ports[Role.BROKER]}/%2F"
        return Endpoints(
            api_url=f"http://{HOST}:{ports[Role.API]}",
            api_token="secret",  # noqa: S106 - it opens nothing
            broker_urls=dict.fromkeys(
                ("scraper", "earlier-sender", "worker", "operator", "admin"), broker
            ),
            management_url=f"http://{HOST}:{ports[Role.BROKER]}",
            metrics_url=f"http://{HOST}:{ports[Role.BROKER]}/metrics",
            results_url=f"redis://{HOST}:{ports[Role.RESULTS]}",
            database_url=f"postgresql://{HOST}:{ports[Role.DATABASE]}/fake",
            site_url=f"http://{HOST}:{ports[Role.SITE]}",
        )

    def down(self) -> None:
        """Close every socket."""
        for process in self._processes.values():
            process.end()
        self._processes.clear()

    def logs(self, role: Role | None = None) -> list[Log]:
        """What each process wrote: that it is up."""
        return [
            Log(process.name, partial(_given, process.lines))
            for (of, _), process in self._processes.items()
            if role is None or of is role
        ]

    def kill(self, role: Role, index: int = 0) -> None:
        """Close the socket."""
        self._process(role, index).end()

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Close the socket."""
        self._process(role, index).end()

    def start(self, role: Role, index: int = 0) -> None:
        """Open the socket again, at the same port."""
        self._process(role, index).start()

    def scale(self, role: Role, count: int) -> None:
        """Have so many workers."""
        if role is not Role.WORKER:
            raise SubstrateError(f"the fake substrate scales workers only, not {role}")
        for index in range(count):
            if (role, index) not in self._processes:
                self._processes[role, index] = _Process(f"{role}-{index}", served=False)
        for key in [key for key in self._processes if key[0] is role and key[1] >= count]:
            self._processes.pop(key).end()

    def _process(self, role: Role, index: int) -> _Process:
        found = self._processes.get((role, index))
        if found is None:
            raise SubstrateError(f"there is no {role}-{index} in this lab")
        return found


def _given(lines: list[bytes]) -> Iterator[bytes]:
    yield from list(lines)
