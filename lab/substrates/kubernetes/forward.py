"""Addresses of this machine that lead into the namespace, by `kubectl port-forward`.

They lead to the runner, which passes on to each part: it is never killed, so the way stays while
parts come and go. A forward that ends by itself (it does when a connection breaks in an unusual
way) is started again; one of a part that was ended is closed, so that nothing answers there.
"""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Sequence

from lab.errors import SubstrateError
from lab.substrates.containers import watched
from lab.substrates.containers.stack import (
    API,
    BROKER,
    CONTROL,
    DATABASE,
    OF_SCRAPER,
    RESULTS,
    RUNNER,
    SITE,
    Stack,
    relay_port,
)
from lab.substrates.kubernetes.kubectl import command
from lab.substrates.kubernetes.own import PORTS
from lab.substrates.local.ports import HOST

OPEN_WITHIN_S = 60.0
END_S = 10.0
_AGAIN_S = 0.3
_SIGN = b"Forwarding from "


class Forward:
    """Some ports of this machine; each leads to one port of a pod."""

    def __init__(
        self,
        namespace: str,
        ports: Sequence[int],
        *,
        to: str = f"deployment/{RUNNER}",
        there: Sequence[int] = (),
    ) -> None:
        """Prepare; opens nothing.

        Args:
            ports: of this machine.
            to: whose pod they lead to.
            there: the port of each there; the same ones if not given.
        """
        self._namespace, self._ports = namespace, list(ports)
        self._to, self._there = to, list(there or ports)
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._thread: threading.Thread | None = None
        self._closed = threading.Event()
        self._open = threading.Event()
        self._said = b""

    def begin(self) -> None:
        """Open the ports; does nothing if they are."""
        with self._lock:
            if self._thread is None:
                self._closed, self._open = events = threading.Event(), threading.Event()
                self._thread = threading.Thread(target=self._keep, args=events, daemon=True)
                self._thread.start()

    def wait(self) -> None:
        """Return once the ports answer.

        Raises:
            SubstrateError: they do not, in time.
        """
        if not self._open.wait(OPEN_WITHIN_S):
            said = self._said.decode("utf-8", "replace").strip()
            raise SubstrateError(
                f"no way into the cluster after {OPEN_WITHIN_S:g} s: kubectl port-forward says "
                f"{said or 'nothing'}"
            )

    def close(self) -> None:
        """Have them answer no longer; does nothing if they do not."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._closed.set()
            if self._process is not None:
                self._process.kill()
        if thread is not None:
            thread.join(END_S)

    def _keep(self, closed: threading.Event, opened: threading.Event) -> None:
        while not closed.is_set():
            with self._lock:
                if closed.is_set():
                    return
                process = self._process = self._start()
            self._watch(process, opened)
            process.wait()
            opened.clear()
            closed.wait(_AGAIN_S)

    def _start(self) -> subprocess.Popen[bytes]:
        pairs = [f"{here}:{there}" for here, there in zip(self._ports, self._there, strict=True)]
        to = ("--namespace", self._namespace, "--address", HOST, self._to)
        return subprocess.Popen(
            command("port-forward", *to, *pairs),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def _watch(self, process: subprocess.Popen[bytes], opened: threading.Event) -> None:
        """Read what it says until it ends."""
        assert process.stdout is not None  # noqa: S101 - it is a pipe
        ready = 0
        with process.stdout:
            for line in process.stdout:
                ready += line.startswith(_SIGN)
                if ready == len(self._ports):
                    opened.set()
                if not line.startswith((_SIGN, b"Handling")):
                    self._said = line


class Ways:
    """All that lead into the namespace of a lab, by part."""

    def __init__(self, stack: Stack) -> None:
        """Take ports of this machine for all that it has to reach; opens nothing."""
        parts = [BROKER, RESULTS, DATABASE, API, SITE]
        if stack.plan.monitoring:
            parts += [watched.PROMETHEUS, watched.ALERTMANAGER]
        self._to = {
            part: [Forward(stack.lab, [*stack.publish(part, *PORTS[part]).values()])]
            for part in parts
        }
        # One for each: what breaks the link must not break the other.
        ports = stack.publish(RUNNER, CONTROL, *map(relay_port, OF_SCRAPER))
        self._to[RUNNER] = [Forward(stack.lab, [port]) for port in ports.values()]

    def open(self, part: str | None = None) -> None:
        """Have a part's ports answer, or all; does nothing if they do.

        Raises:
            SubstrateError: they do not, in time.
        """
        for each in self._of(part):
            each.begin()
        for each in self._of(part):
            each.wait()

    def close(self, part: str | None = None) -> None:
        """Have them answer no longer."""
        for each in self._of(part):
            each.close()

    def _of(self, part: str | None) -> list[Forward]:
        if part is not None:
            return self._to.get(part, [])
        return [each for forwards in self._to.values() for each in forwards]
