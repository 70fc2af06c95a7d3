"""Relays by link, in an event loop with a thread of its own; they can be used from any thread."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from itertools import chain
from typing import Any

from lab.errors import SubstrateError
from lab.paths import lab_command
from lab.substrates.answering import Answer
from lab.substrates.relay import HOST, Pace, Relay

ACT_S = 5.0
_PORT_TRIES = 4


class Relays:
    """What a `Partitionable` substrate needs. The thread starts with the first relay."""

    def __init__(self) -> None:
        self._relays: dict[str, list[Relay]] = {}
        self._loop: asyncio.AbstractEventLoop | None = None

    def open_link(
        self,
        link: str,
        ports: Callable[[], int],
        target: Callable[[], int],
        *,
        host: str = HOST,
        to: str = HOST,
        gentle: bool = False,
    ) -> int:
        """Open a relay for `link` and return the port that it listens on.

        Called again for the same link, it opens one more: to another node of a cluster.

        Args:
            ports: gives a free port at each call; called again if another program took the first.
            target: gives the port to pass on to; called at each new connection.
            host: the address on which it listens.
            to: the host to pass on to.
            gentle: whether callers' connections end in order; see `Relay`.

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
            relay = Relay(ports(), target, host=host, to=to, gentle=gentle)
            try:
                self._run(relay.open())
            except OSError as error:
                taken = error
                continue
            self._relays.setdefault(link, []).append(relay)
            return relay.port
        raise SubstrateError(f"the relay of {link} has no port to listen on: {taken}")

    def close_links(self) -> None:
        """Close every relay and end the thread. May be called twice."""
        if self._loop is None:
            return
        self._run(self._close_all())
        self._relays.clear()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=ACT_S)
        self._loop.close()
        self._loop = None

    def cut(self, link: str, node: int | None = None) -> None:
        """Close the connections, and refuse new ones; those of one node, if given."""
        self._do(link, lambda relay: relay.cut(), node)

    def stall(self, link: str) -> None:
        """Let nothing pass; connections stay open."""
        self._do(link, lambda relay: relay.stall())

    def slow(
        self,
        link: str,
        *,
        latency_s: float = 0.0,
        bytes_per_s: float = 0.0,
        jitter_s: float = 0.0,
    ) -> None:
        """Delay what passes, and limit its rate."""
        pace = Pace(latency_s, bytes_per_s, jitter_s)
        self._do(link, lambda relay: relay.slow(pace))

    def answer(self, link: str, how: Answer) -> None:
        """Answer HTTP requests in the place of those they are for."""
        self._do(link, lambda relay: relay.answer(Answer(how)))

    def half_open(self, link: str) -> None:
        """Close the callers' side, and leave the other side open."""
        self._do(link, lambda relay: relay.half_open())

    def heal(self, link: str) -> None:
        """Let everything pass again."""
        self._do(link, lambda relay: relay.heal())

    async def _close_all(self) -> None:
        for relay in chain.from_iterable(self._relays.values()):
            await relay.cut()
        current = asyncio.current_task()
        rest = [task for task in asyncio.all_tasks() if task is not current]
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)
        await asyncio.sleep(0)  # the transports' last callbacks

    def _do(
        self,
        link: str,
        act: Callable[[Relay], Coroutine[Any, Any, None]],
        node: int | None = None,
    ) -> None:
        """Act on every relay of a link, or on that of one node."""
        relays = self._of(link)
        if node is not None:
            if node >= len(relays):
                raise SubstrateError(
                    f"the link {link} leads to no node {node}: they are numbered from 0,"
                    f" and it has {len(relays)}"
                )
            relays = [relays[node]]
        for relay in relays:
            self._run(act(relay))

    def _of(self, link: str) -> list[Relay]:
        if link not in self._relays:
            raise SubstrateError(
                f"the link {link} of this lab cannot be broken, as nothing is between its ends:"
                f" start the lab with `{lab_command('up', '--breakable')}`"
                " (a test: with the link in Plan.relayed)"
            )
        return self._relays[link]

    def _run(self, action: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None  # noqa: S101 - it starts with the first relay
        asyncio.run_coroutine_threadsafe(action, self._loop).result(timeout=ACT_S)
