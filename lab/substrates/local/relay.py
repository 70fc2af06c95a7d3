"""A TCP relay that can be cut, stalled, slowed and half-opened: a partition without privileges.

    caller ── connection ──> relay ── connection ──> target

Bytes go through untouched and unread. Each direction holds what the other side does not take in a
bounded buffer and then stops reading, so back-pressure goes through too. A relay listens on this
machine only. All its code runs in one event loop: see `lab.substrates.local.links`.

A relay answers for itself at the level of TCP: what it stalls is still acknowledged. Time-outs of
the kernel (TCP_USER_TIMEOUT) are therefore out of its reach, those of the programs are not.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

HOST = "127.0.0.1"
CONNECT_S = 5.0
BUFFER_BYTES = 64 * 1024
CONNECTIONS_MAX = 500
"""More are closed at once, as a target that is full would do."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow: seconds that a piece waits, and bytes a second of one direction (0: no bound)."""

    latency_s: float = 0.0
    bytes_per_s: float = 0.0

    def delay_s(self, size: int) -> float:
        """How long `size` bytes wait before they go on."""
        return max(self.latency_s, size / self.bytes_per_s if self.bytes_per_s else 0.0)


class Relay:
    """One link. Every method must be called in the event loop.

    Attributes:
        passing: set while bytes may pass.
        pace: how fast; None: as fast as they come.
    """

    def __init__(self, port: int, target: Callable[[], int]) -> None:
        """Prepare; listens to nothing yet.

        Args:
            port: on which it listens.
            target: gives the port to pass on to; called at each new connection.
        """
        self.port = port
        self.target = target
        self.passing = asyncio.Event()
        self.passing.set()
        self.pace: Pace | None = None
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()

    async def open(self) -> None:
        """Listen. Does nothing if it does already.

        Raises:
            OSError: the port is taken.
        """
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, HOST, self.port, limit=BUFFER_BYTES, backlog=128
            )

    async def cut(self) -> None:
        """Refuse new connections, and close those there are, on both sides."""
        server, self._server = self._server, None
        if server is not None:
            for each in server.sockets:
                asyncio.get_running_loop().remove_reader(each.fileno())
            await asyncio.sleep(0)  # what was accepted already would find a closed server
            server.close()
        for pair in list(self._pairs):
            pair.abort()

    async def stall(self) -> None:
        """Let nothing pass, and keep every connection."""
        self.passing.clear()
        await self.open()

    async def slow(self, pace: Pace) -> None:
        """Let everything pass at `pace`. What arrives while a piece waits goes on with the next."""
        await self._let_pass(pace)

    async def half_open(self) -> None:
        """Close the callers' sides; the targets' sides stay until `heal`. New ones are served."""
        await self._let_pass()
        for pair in list(self._pairs):
            pair.forget_caller()

    async def heal(self) -> None:
        """Let everything pass again, and end what `half_open` left."""
        for pair in list(self._pairs):
            if pair.forgotten:
                pair.abort()
        await self._let_pass()

    async def _let_pass(self, pace: Pace | None = None) -> None:
        self.pace = pace
        self.passing.set()
        await self.open()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._server is None or len(self._pairs) >= CONNECTIONS_MAX:
            writer.transport.abort()
            return
        pair = _Pair(self, reader, writer)
        self._pairs.add(pair)
        try:
            await pair.run()
        finally:
            self._pairs.discard(pair)


class _Pair:
    """A caller's connection and the one to the target.

    Attributes:
        forgotten: the caller's side was closed, and the target's side stays.
    """

    def __init__(
        self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.forgotten = False
        self._relay = relay
        self._reader, self._writer = reader, writer
        self._target: asyncio.StreamWriter | None = None
        self._task = asyncio.current_task()

    async def run(self) -> None:
        """Connect to the target, and pass bytes on until one side ends; then end the other."""
        try:
            await self._relay.passing.wait()
            async with asyncio.timeout(CONNECT_S):
                target, self._target = await asyncio.open_connection(
                    HOST, self._relay.target(), limit=BUFFER_BYTES
                )
            there = asyncio.ensure_future(self._pass_on(self._reader, self._target))
            back = asyncio.ensure_future(self._pass_on(target, self._writer))
            try:
                await asyncio.wait((there, back), return_when=asyncio.FIRST_COMPLETED)
            finally:
                for each in (there, back):
                    each.cancel()
                await asyncio.gather(there, back, return_exceptions=True)
            while self.forgotten and await target.read(BUFFER_BYTES):
                pass  # there is no receiver
            for writer in (self._writer, self._target):
                writer.close()  # once what is on its way is written
        except (OSError, asyncio.CancelledError):  # the target does not answer, or `abort`
            self._abort()

    def forget_caller(self) -> None:
        """Close the caller's side alone."""
        self.forgotten = self._target is not None
        self._writer.transport.abort()

    def abort(self) -> None:
        """End both sides at once."""
        self._abort()
        if self._task is not None:
            self._task.cancel()

    def _abort(self) -> None:
        for writer in (self._writer, self._target):
            if writer is not None:
                writer.transport.abort()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):  # one side has gone
            while data := await reader.read(BUFFER_BYTES):
                if self._relay.pace is not None:
                    await asyncio.sleep(self._relay.pace.delay_s(len(data)))
                await self._relay.passing.wait()
                writer.write(data)
                await writer.drain()
