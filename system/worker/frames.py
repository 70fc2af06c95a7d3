"""kombu's connection to RabbitMQ, but all that has come is read at once.

py-amqp asks the kernel twice for each frame, with the socket's time-out set and reset around it,
and kombu goes round its event loop for each message. For a delivery, which has three frames, that
costs more than all that the worker itself does with it.

    socket ── receive, CHUNK_BYTES at most ──> what has come ── next_frame ──> py-amqp ──> delivery
                                                    └── not all of a frame: kept until more comes

No whole frame is ever left in what has come: the event loop looks at the socket only, and would let
it lie there until something else comes. So who waits for one frame reads no more than that one.

This is for `amqp://` only: TLS has records of its own, and is read as py-amqp does.
"""

from __future__ import annotations

import errno
from struct import Struct
from typing import Any

from amqp import transport as py_amqp
from amqp.exceptions import RecoverableConnectionError, UnexpectedFrame
from kombu.transport import TRANSPORT_ALIASES, pyamqp

CHUNK_BYTES = 32 * 1024
"""Some thirty deliveries of one match each; then the event loop sees to pool, timers, signals."""
FRAME_BYTES_MAX = 512 * 1024 * 1024
"""No RabbitMQ can be configured to take a larger message (its `max_message_size`)."""

_HEAD = Struct(">BHI")  # type, channel, bytes of the payload; see AMQP 0-9-1, 4.2.3
_END = 0xCE
_LEAST = _HEAD.size + 1
"""Bytes of a frame without a payload."""
_NOTHING_YET = (None, errno.EAGAIN, errno.EWOULDBLOCK)
"""None: the socket's own time-out."""

Frame = tuple[int, int, bytes]
"""Type, channel and payload."""


def use() -> None:
    """Let every connection by `amqp://` that kombu makes in this process be such a one.

    To be called before the first of them.
    """
    TRANSPORT_ALIASES["amqp"] = f"{__name__}:Transport"


class BufferedTransport(py_amqp.TCPTransport):
    """A socket, and what has come of which no frame was made yet."""

    def _setup_transport(self) -> None:
        super()._setup_transport()
        self._come, self._at = b"", 0

    def next_frame(self) -> Frame | None:
        """Return the first frame of what has come; None if there is not all of one.

        Raises:
            UnexpectedFrame: what has come is no frame.
        """
        come, at = self._come, self._at
        begin = at + _HEAD.size
        if len(come) <= begin:
            return None
        kind, channel, size = _HEAD.unpack_from(come, at)
        if size > FRAME_BYTES_MAX:
            raise UnexpectedFrame(f"a frame of {size} bytes; {FRAME_BYTES_MAX} are possible")
        end = begin + size
        if len(come) <= end:
            return None
        if come[end] != _END:
            raise UnexpectedFrame(f"a frame ends with {come[end]:#04x}, not with {_END:#04x}")
        self._at = end + 1
        return kind, channel, come[begin:end]

    @property
    def missing(self) -> int:
        """Bytes that are certainly missing of the first frame; a positive number if some are."""
        have = len(self._come) - self._at
        if have < _LEAST:
            return _LEAST - have
        return _LEAST + int(_HEAD.unpack_from(self._come, self._at)[2]) - have

    def receive(self, most: int) -> None:
        """Wait for more to come, as long as the socket's time-out says.

        Args:
            most: bytes.

        Raises:
            TimeoutError: nothing came; nothing is lost of what had come before.
            OSError: the connection is lost.
        """
        try:
            more = self._quick_recv(most)
        except OSError as error:
            if error.errno in _NOTHING_YET:
                raise TimeoutError("nothing has come from the broker") from None
            self.connected = False
            # ETIMEDOUT is a TimeoutError to Python; but the kernel has given the connection up.
            raise ConnectionResetError(error.errno, error.strerror) from error
        if not more:
            self.connected = False
            raise ConnectionResetError(errno.ECONNRESET, "the broker has closed the connection")
        self._come, self._at = self._come[self._at :] + more, 0

    def read_frame(self, *_: Any) -> Frame:
        """As py-amqp reads a frame: waits for it. Raises as `next_frame` and `receive` do."""
        while (frame := self.next_frame()) is None:
            self.receive(self.missing)
        return frame


class Connection(pyamqp.Connection):
    """A connection that can take several deliveries at once."""

    def Transport(  # noqa: N802 - py-amqp's name
        self, host: str, connect_timeout: float, ssl: Any = False, *args: Any, **kwargs: Any
    ) -> Any:
        """What py-amqp reads frames from and writes them to."""
        if ssl:
            return py_amqp.Transport(host, connect_timeout, ssl, *args, **kwargs)
        return BufferedTransport(host, connect_timeout, *args, **kwargs)

    def take(self) -> None:
        """Handle what has come, CHUNK_BYTES at most."""
        transport = self.transport
        try:
            # Only this must not wait: what a delivery leads to writes to the socket, too.
            with transport.having_timeout(0):
                transport.receive(CHUNK_BYTES)
        except TimeoutError:
            return
        while self.connected and (frame := transport.next_frame()) is not None:
            self.on_inbound_frame(frame)


class Transport(pyamqp.Transport):
    """kombu's way to such a connection."""

    Connection = Connection

    def on_readable(self, connection: Any, loop: Any) -> None:
        """Called by the event loop when something has come, and again while there is more.

        Raises:
            RecoverableConnectionError: the connection is closed.
        """
        if not connection.connected:
            raise RecoverableConnectionError("the connection to the broker is closed")
        if not isinstance(connection.transport, BufferedTransport):
            super().on_readable(connection, loop)  # type: ignore[no-untyped-call]
        else:
            connection.take()
