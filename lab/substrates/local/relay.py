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
from enum import StrEnum

HOST = "127.0.0.1"
CONNECT_S = 5.0
BUFFER_BYTES = 64 * 1024
CONNECTIONS_MAX = 500
"""More are closed at once, as a target that is full would do."""


class Breach(StrEnum):
    """What a relay does to what passes."""

    NONE = "none"
    CUT = "cut"
    STALLED = "stalled"
    SLOWED = "slowed"


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow: seconds that a piece waits, and bytes a second of one direction (0: no bound)."""

    latency_s: float = 0.0
    bytes_per_s: float = 0.0

    def delay_s(self, size: int) -> float:
        """How long `size` bytes wait before they go on."""
        return max(self.latency_s, size / self.bytes_per_s if self.bytes_per_s else 0.0)


class Relay:
    """One link. Every method must be called in the event loop."""

    def __init__(self, port: int, target: Callable[[], int]) -> None:
        """Prepare; listens to nothing yet.

        Args:
            port: on which it listens.
            target: gives the port to pass on to; called at each new connection.
        """
        self.port = port
        self._target = target
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()
        self.breach = Breach.NONE
        self.pace = Pace()

    async def open(self) -> None:
        """Listen. Does nothing if it does already.

        Raises:
            OSError: the port is taken.
        """
        if self._server is None:
            loop = asyncio.get_running_loop()
            self._server = await loop.create_server(
                lambda: _Pair(self).caller, HOST, self.port, backlog=128
            )

    async def close(self) -> None:
        """Refuse new connections, and close those there are, on both sides."""
        server, self._server = self._server, None
        if server is not None:
            for each in server.sockets:
                asyncio.get_running_loop().remove_reader(each.fileno())
            await asyncio.sleep(0)  # what was accepted already would find a closed server
            server.close()
        for pair in list(self._pairs):
            pair.abort()

    async def cut(self) -> None:
        """Close the connections, and refuse new ones."""
        self.breach = Breach.CUT
        await self.close()

    async def stall(self) -> None:
        """Let nothing pass, and keep every connection."""
        await self._become(Breach.STALLED)

    async def slow(self, pace: Pace) -> None:
        """Let everything pass at `pace`. What arrives while a piece waits goes on with the next."""
        self.pace = pace
        await self._become(Breach.SLOWED)

    async def half_open(self) -> None:
        """Close the callers' sides; the targets' sides stay until `heal`. New ones are served."""
        await self._become(Breach.NONE)
        for pair in list(self._pairs):
            pair.forget_caller()

    async def heal(self) -> None:
        """Let everything pass again, and end what `half_open` left."""
        for pair in list(self._pairs):
            if pair.forgotten:
                pair.abort()
        await self._become(Breach.NONE)

    async def _become(self, breach: Breach) -> None:
        self.breach = breach
        for pair in list(self._pairs):
            pair.review()
        await self.open()

    async def serve(self, pair: _Pair) -> None:
        """Connect a new caller to the target, once something may pass."""
        if self._server is None or len(self._pairs) >= CONNECTIONS_MAX:
            pair.abort()
            return
        self._pairs.add(pair)
        if self.breach is not Breach.STALLED:
            await self.connect(pair)

    async def connect(self, pair: _Pair) -> None:
        """Open the target's side of `pair`; close the caller's if the target does not answer."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(CONNECT_S):
                await loop.create_connection(lambda: pair.target, HOST, self._target())
        except OSError:  # a time-out is one too
            pair.abort()

    def forget(self, pair: _Pair) -> None:
        """Drop a pair that has ended."""
        self._pairs.discard(pair)


class _Pair:
    """A caller's connection and the one to the target."""

    def __init__(self, relay: Relay) -> None:
        self.relay = relay
        self.caller, self.target = _End(self), _End(self)
        self.caller.other, self.target.other = self.target, self.caller
        self.forgotten = False
        self._task: asyncio.Task[None] | None = None

    def opened(self, end: _End) -> None:
        if end is self.caller:
            self._task = asyncio.ensure_future(self.relay.serve(self))
        elif self.caller.transport is None or self.caller.transport.is_closing():
            self.abort()  # the caller did not wait
        else:
            self.review()

    def closed(self, end: _End) -> None:
        """One end is gone: close the other, once what was on its way is written."""
        if self.forgotten:
            if end is self.target:
                self.relay.forget(self)
            return
        if end.other.transport is not None:
            end.other.transport.close()
        self.relay.forget(self)

    def review(self) -> None:
        """Do what the relay's state asks for."""
        if self.relay.breach is not Breach.STALLED and self.target.transport is None:
            if self._task is None or self._task.done():
                self._task = asyncio.ensure_future(self.relay.connect(self))
            return
        for end in (self.caller, self.target):
            end.review()

    def forget_caller(self) -> None:
        if self.target.transport is not None:
            self.forgotten = True
        if self.caller.transport is not None:
            self.caller.transport.abort()

    def abort(self) -> None:
        self.forgotten = False
        for end in (self.caller, self.target):
            if end.transport is not None:
                end.transport.abort()
        self.relay.forget(self)


class _End(asyncio.Protocol):
    """One end of a pair: reads from its own transport, writes to the other's."""

    other: _End

    def __init__(self, pair: _Pair) -> None:
        self.pair = pair
        self.transport: asyncio.Transport | None = None
        self.other_is_full = False
        self._piece_waits = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - TCP gives no other
        self.transport = transport
        transport.set_write_buffer_limits(high=BUFFER_BYTES)
        transport.pause_reading()  # until the other end is connected
        self.pair.opened(self)

    def data_received(self, data: bytes) -> None:
        if self.pair.forgotten:
            return  # there is no receiver
        if self.pair.relay.breach is not Breach.SLOWED:
            self._pass_on(data)
            return
        self._piece_waits = True
        self.review()
        delay_s = self.pair.relay.pace.delay_s(len(data))
        asyncio.get_running_loop().call_later(delay_s, self._pass_on_late, data)

    def connection_lost(self, error: Exception | None) -> None:
        self.pair.closed(self)

    def pause_writing(self) -> None:
        self.other.other_is_full = True
        self.other.review()

    def resume_writing(self) -> None:
        self.other.other_is_full = False
        self.other.review()

    def review(self) -> None:
        """Read, unless something forbids it."""
        if self.transport is None or self.other.transport is None:
            return
        idle = self.other_is_full or self._piece_waits or self.pair.relay.breach is Breach.STALLED
        if idle:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def _pass_on_late(self, data: bytes) -> None:
        self._piece_waits = False
        self._pass_on(data)
        self.review()

    def _pass_on(self, data: bytes) -> None:
        with suppress(RuntimeError):  # closed meanwhile
            if self.other.transport is not None:
                self.other.transport.write(data)
