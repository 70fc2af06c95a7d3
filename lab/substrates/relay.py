"""A TCP relay that can be cut, stalled, slowed, half-opened, and answer for its target.

    caller ── connection ──> relay ── connection ──> target

So it makes partitions without privileges. Bytes go through untouched and unread, unless it is told
to answer requests itself (`lab.substrates.answering`); then none of them gets to the target. Each
direction holds what the other side does not take in a bounded buffer and then stops reading, so
back-pressure goes through too. Unless another address is given, a relay listens on this machine
only. All its code runs in one event loop: see `lab.substrates.relays`.

A relay answers for itself at the level of TCP: what it stalls is still acknowledged. Time-outs of
the kernel (TCP_USER_TIMEOUT) are therefore out of its reach, those of the programs are not.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from lab.substrates import answering
from lab.substrates.answering import Answer

HOST = "127.0.0.1"
CONNECT_S = 5.0
END_S = 5.0
BUFFER_BYTES = 64 * 1024
CONNECTIONS_MAX = 500
"""More are closed at once, as a target that is full would do."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How slow: how long a piece waits, and how many go through; pieces stay in their order.

    Attributes:
        latency_s: seconds that each waits.
        bytes_per_s: of one direction; 0: no bound.
        jitter_s: up to so many seconds that one waits longer, another each time.
    """

    latency_s: float = 0.0
    bytes_per_s: float = 0.0
    jitter_s: float = 0.0

    def delay_s(self, size: int) -> float:
        """How long `size` bytes wait before they go on."""
        latency = self.latency_s + random.uniform(0.0, self.jitter_s)
        return max(latency, size / self.bytes_per_s if self.bytes_per_s else 0.0)


class Relay:
    """One link. Every method must be called in the event loop.

    Attributes:
        passing: set while bytes may pass.
        pace: how fast; None: as fast as they come.
        answers: how it answers new callers itself; None: it does not, and passes all on.
    """

    def __init__(
        self,
        port: int,
        target: Callable[[], int],
        *,
        host: str = HOST,
        to: str = HOST,
        gentle: bool = False,
    ) -> None:
        """Prepare; listens to nothing yet.

        Args:
            port: on which it listens.
            target: gives the port to pass on to; called at each new connection.
            host: the address on which it listens.
            to: the host to pass on to.
            gentle: whether the connection of a caller ends in order, however the target's ended.
                For callers that pass on several connections, and lose all if one is reset.
        """
        self.port = port
        self.host = host
        self.to = to
        self.gentle = gentle
        self.target = target
        self.passing = asyncio.Event()
        self.passing.set()
        self.pace: Pace | None = None
        self.answers: Answer | None = None
        self._server: asyncio.Server | None = None
        self._pairs: set[_Pair] = set()

    async def open(self) -> None:
        """Listen. Does nothing if it does already.

        Raises:
            OSError: the port is taken.
        """
        if self._server is None:
            self._server = await asyncio.start_server(
                self._serve, self.host, self.port, limit=BUFFER_BYTES, backlog=128
            )

    async def cut(self) -> None:
        """Refuse new connections, and close those there are, on both sides."""
        self._forget_answers()
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
        self._forget_answers()
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

    async def answer(self, how: Answer) -> None:
        """Close the connections there are, and answer the requests of new ones."""
        await self._let_pass()
        self.answers = how
        for pair in list(self._pairs):
            pair.abort()

    async def heal(self) -> None:
        """Let everything pass again, and end what `half_open` and `answer` left."""
        for pair in list(self._pairs):
            if pair.forgotten:
                pair.abort()
        await self._let_pass()

    def _forget_answers(self) -> None:
        """Answer nothing any more: those who were answered have to connect again."""
        self.answers = None
        for pair in list(self._pairs):
            if pair.answered:
                pair.abort()

    async def _let_pass(self, pace: Pace | None = None) -> None:
        self._forget_answers()
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
        answered: the relay answers the caller, and there is no target's side.
    """

    def __init__(
        self, relay: Relay, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.forgotten = self.answered = False
        self._relay = relay
        self._reader, self._writer = reader, writer
        self._target: asyncio.StreamWriter | None = None
        self._task = asyncio.current_task()

    async def run(self) -> None:
        """Connect to the target, and pass bytes on until one side ends; then end the other."""
        try:
            await self._relay.passing.wait()
            if self._relay.answers is not None:
                self.answered = True
                await answering.serve(self._relay.answers, self._reader, self._writer)
                self._writer.close()
                return
            async with asyncio.timeout(CONNECT_S):
                target, self._target = await asyncio.open_connection(
                    self._relay.to, self._relay.target(), limit=BUFFER_BYTES
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
            self._target.close()  # once what is on its way is written
            await self._end_caller()
        except OSError:  # the target does not answer
            if self._relay.gentle:
                await self._end_caller()
            self._abort()
        except asyncio.CancelledError:  # `abort`
            self._abort()

    async def _end_caller(self) -> None:
        """Close the caller's side; if that is to be in order, once the caller has ended it, too."""
        if self._relay.gentle:
            with suppress(OSError):  # a time-out among them
                self._writer.write_eof()
                async with asyncio.timeout(END_S):
                    while await self._reader.read(BUFFER_BYTES):
                        pass  # what comes too late would be answered by a reset
        self._writer.close()

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
