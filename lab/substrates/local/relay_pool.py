"""The relays of one lab, in an event loop with a thread of its own, to be used from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

from lab.errors import SubstrateError
from lab.substrates.local.relay import Pace, Relay
from lab.substrates.plan import Link

ACT_S = 5.0


class Switchboard:
    """Relays by link. Starts its thread when it is made; `close` ends it."""

    def __init__(self) -> None:
        self._relays: dict[Link, Relay] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="relays", daemon=True)
        self._thread.start()

    def add(self, link: Link, ports: Callable[[], int], target: Callable[[], int]) -> int:
        """Open a relay for `link` and return the port that it listens on.

        Args:
            link: which.
            ports: gives a free port at each call; asked again where a stranger took the first.
            target: tells the port to pass on to; asked at each new connection.

        Raises:
            SubstrateError: no port could be had.
        """
        for _ in range(4):
            relay = Relay(ports(), target)
            try:
                self._do(relay.open())
            except OSError as error:
                taken = error
                continue
            self._relays[link] = relay
            return relay.port
        raise SubstrateError(f"the relay of {link} has no port to listen on: {taken}")

    def cut(self, link: Link) -> None:
        """See `lab.substrates.protocol.Partitionable`."""
        self._do(self._of(link).cut())

    def stall(self, link: Link) -> None:
        """See `lab.substrates.protocol.Partitionable`."""
        self._do(self._of(link).stall())

    def slow(self, link: Link, *, latency_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """See `lab.substrates.protocol.Partitionable`."""
        self._do(self._of(link).slow(Pace(latency_s, bytes_per_s)))

    def half_open(self, link: Link) -> None:
        """See `lab.substrates.protocol.Partitionable`."""
        self._do(self._of(link).half_open())

    def heal(self, link: Link) -> None:
        """See `lab.substrates.protocol.Partitionable`."""
        self._do(self._of(link).heal())

    def close(self) -> None:
        """Close every relay and end the thread. May be called twice."""
        if self._loop.is_closed():
            return
        self._do(self._close_all())
        self._relays.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=ACT_S)
        self._loop.close()

    async def _close_all(self) -> None:
        for relay in self._relays.values():
            await relay.close()
        current = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not current]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' last callbacks

    def _of(self, link: Link) -> Relay:
        relay = self._relays.get(link)
        if relay is None:
            raise SubstrateError(
                f"{link} has no relay in this lab: start it with the link in Plan.relayed"
            )
        return relay

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout=ACT_S)
