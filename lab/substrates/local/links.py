"""The links between roles that run through relays, as the plan asks for.

The relays run in an event loop with a thread of its own, and can be used from any thread.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from lab.errors import SubstrateError
from lab.substrates.local import broker, database, results, roles
from lab.substrates.local.relay import Pace, Relay
from lab.substrates.local.service import Ground
from lab.substrates.plan import Link

ACT_S = 5.0
_PORT_TRIES = 4
_TARGETS = {
    Link.SCRAPER_BROKER: broker.BROKER,
    Link.WORKER_BROKER: broker.BROKER,
    Link.WORKER_API: roles.API,
    Link.WORKER_RESULTS: results.RESULTS,
    Link.API_DATABASE: database.DATABASE,
}


class Links:
    """Makes a local substrate `Partitionable`. The thread starts with the first relay."""

    def __init__(self) -> None:
        self._relays: dict[Link, Relay] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def open_links(self, ground: Ground) -> None:
        """Open a relay for each link of the plan; roles that start later go through them."""
        for link in sorted(ground.plan.relayed):
            target = partial(ground.ports.__getitem__, _TARGETS[link])
            ground.ways[link] = self.open_link(link, ground.free.take, target)

    def open_link(self, link: Link, ports: Callable[[], int], target: Callable[[], int]) -> int:
        """Open a relay for `link` and return the port that it listens on.

        Args:
            ports: gives a free port at each call; called again if another program took the first.
            target: gives the port to pass on to; called at each new connection.

        Raises:
            SubstrateError: none of the ports was free.
        """
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=self._loop.run_forever, name="relays", daemon=True
            )
            self._thread.start()
        for _ in range(_PORT_TRIES):
            relay = Relay(ports(), target)
            try:
                self._do(relay.open())
            except OSError as error:
                taken = error
                continue
            self._relays[link] = relay
            return relay.port
        raise SubstrateError(f"the relay of {link} has no port to listen on: {taken}")

    def close_links(self) -> None:
        """Close every relay and end the thread. May be called twice."""
        if self._loop is None:
            return
        self._do(self._close_all())
        self._relays.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=ACT_S)
        self._loop.close()
        self._loop = None

    def cut(self, link: Link) -> None:
        """Close the connections, and refuse new ones."""
        self._do(self._relay(link).cut())

    def stall(self, link: Link) -> None:
        """Let nothing pass; connections stay open."""
        self._do(self._relay(link).stall())

    def slow(self, link: Link, *, latency_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Delay what passes, and limit its rate."""
        self._do(self._relay(link).slow(Pace(latency_s, bytes_per_s)))

    def half_open(self, link: Link) -> None:
        """Close the callers' side, and leave the other side open."""
        self._do(self._relay(link).half_open())

    def heal(self, link: Link) -> None:
        """Let everything pass again."""
        self._do(self._relay(link).heal())

    async def _close_all(self) -> None:
        for relay in self._relays.values():
            await relay.cut()
        current = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not current]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' last callbacks

    def _relay(self, link: Link) -> Relay:
        if link not in self._relays:
            raise SubstrateError(
                f"{link} has no relay in this lab: start it with the link in Plan.relayed"
            )
        return self._relays[link]

    def _do(self, action: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None  # noqa: S101 - it starts with the first relay
        asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout=ACT_S)
