"""uvicorn's HTTP protocol with bounds: on each request's bytes, header fields and time.

    connected ──> waiting ──> head ──────> body ──────> answer ──> waiting ──> ...
                  HEAD_S, CROWDED_OUT      BODY_S       BODY_S     uvicorn's keep-alive time-out

uvicorn on httptools has no limits of this kind; docs/decisions/0006-http-server.md says why they
are here. A connection without a request in hand, whether it said nothing or half a head, gives its
place to the newcomer when there are too many: a crowd of them shuts nobody out. Health probes are
answered however many other requests are in hand.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import ClassVar

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from system.backend.bounds import ANSWERS, Bounds, Refusal
from system.backend.health import PATHS
from system.contract.submission import BODY_BYTES_MAX

NEWCOMERS = 32
"""Places for connections whose head has yet to come, while all others have a request in hand."""
FRAMING_BYTES_MAX = BODY_BYTES_MAX
"""What chunk sizes and trailers may add to a body: as much again, and usually a few bytes."""
UNREAD_BYTES_MAX = 4096
"""An answer of which more stays unsent is not being read. Small answers are written at once."""

_PROBES = frozenset(path.encode() for path in PATHS)


def bounded(bounds: Bounds, count: Callable[[Refusal], None]) -> type[asyncio.Protocol]:
    """Return the protocol class for one server.

    Args:
        count: called with the reason for each connection that the server ends.
    """
    return type(
        "Bounded",
        (_BoundedProtocol,),
        {"bounds": bounds, "count": staticmethod(count), "waiting": {}},
    )


class _BoundedProtocol(HttpToolsProtocol):
    bounds: ClassVar[Bounds]
    count: ClassVar[Callable[[Refusal], None]]
    waiting: ClassVar[dict[_BoundedProtocol, None]]
    """Connections without a request in hand, longest first."""

    _request_timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None
    _in_head = True
    _received = 0  # bytes of this request so far, in whole reads
    _head_bytes = 0  # those that its parsed parts have
    _reason = Refusal.MALFORMED  # why the parser stopped, if it does

    # Called by the event loop.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=UNREAD_BYTES_MAX)
        self._expect(self.bounds.head_s, Refusal.HEAD_TOO_SLOW)
        self.waiting[self] = None
        if len(self.connections) > self.bounds.connections and len(self.waiting) > NEWCOMERS:
            longest = next(iter(self.waiting))
            longest.end(Refusal.CROWDED_OUT)

    def connection_lost(self, exc: Exception | None) -> None:
        self._forget()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        self._begin()
        self._received += len(data)
        super().data_received(data)
        # The parser keeps what is not complete; its callbacks see only what is.
        if self._in_head and self._received > self.bounds.head_bytes:
            self.end(Refusal.HEAD_TOO_LARGE)
        elif self._received > self.bounds.head_bytes + BODY_BYTES_MAX + FRAMING_BYTES_MAX:
            self.end(Refusal.BODY_TOO_LARGE)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._answer_timer = self.loop.call_later(
            self.bounds.body_s, self.end, Refusal.ANSWER_NOT_READ
        )

    def resume_writing(self) -> None:
        super().resume_writing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()

    # Called by the parser. An error raised in one of these stops it.

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._head_bytes = 0
        self._begin()  # it may follow another request in the same read

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        self._count_head(len(url))

    def on_header(self, name: bytes, value: bytes) -> None:  # also for each trailer
        super().on_header(name, value)
        self._count_head(len(name) + len(value))

    def on_headers_complete(self) -> None:
        self.waiting.pop(self, None)
        self._expect(self.bounds.body_s, Refusal.BODY_TOO_SLOW)
        in_hand = len(self.connections) - len(self.waiting)
        is_probe = self.url.partition(b"?")[0] in _PROBES
        # To uvicorn: answer 503 always, or never.
        self.limit_concurrency = 0 if in_hand > self.bounds.connections and not is_probe else None
        super().on_headers_complete()
        self._in_head = False

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head, self._received = True, 0
        self._expect_nothing()

    # Called by uvicorn.

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.cycle.response_complete and not self.transport.is_closing():
            self.waiting[self] = None

    def send_400_response(self, msg: str) -> None:
        self.end(self._reason)

    # Its own.

    def _begin(self) -> None:
        if self._request_timer is None:
            self._expect(self.bounds.head_s, Refusal.HEAD_TOO_SLOW)

    def _expect(self, seconds: float, otherwise: Refusal) -> None:
        self._expect_nothing()
        self._request_timer = self.loop.call_later(seconds, self._too_slow, seconds, otherwise)

    def _too_slow(self, seconds: float, why: Refusal) -> None:
        if self.flow.read_paused:  # the server is the slow one
            self._expect(seconds, why)
        else:
            self.end(why)

    def _expect_nothing(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _count_head(self, size: int) -> None:
        self._head_bytes += size
        is_large = self._head_bytes > self.bounds.head_bytes
        if is_large or len(self.headers) > self.bounds.head_fields:
            self._reason = Refusal.HEAD_TOO_LARGE
            raise ValueError(self._reason)

    def end(self, why: Refusal) -> None:
        """End the connection, with an answer if its client waits for one."""
        self._forget()
        # To close would be to wait until the client has read what is left.
        is_read = self.transport.get_write_buffer_size() == 0
        if not self.transport.is_closing():
            type(self).count(why)
            if is_read and why in ANSWERS and self._may_answer():
                self.transport.write(ANSWERS[why])
        if is_read:
            self.transport.close()
        else:
            self.transport.abort()

    def _may_answer(self) -> bool:
        """Whether the client waits for an answer of which nothing is written yet."""
        if self.cycle is None or self.cycle.response_complete:
            return self._in_head and self._received > 0
        return not (self._in_head or self.cycle.response_started or self.pipeline)

    def _forget(self) -> None:
        self.connections.discard(self)
        self.waiting.pop(self, None)
        self._expect_nothing()
        if self._answer_timer is not None:
            self._answer_timer.cancel()
