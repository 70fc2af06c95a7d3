"""The worker reads frames as they come: in pieces, many at once, wrong ones, or none any more."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from struct import pack
from types import SimpleNamespace
from typing import Any

import pytest
from amqp.exceptions import RecoverableConnectionError, UnexpectedFrame
from amqp.transport import SSLTransport
from hypothesis import given
from hypothesis import strategies as st
from kombu import transport as kombu_transport
from kombu.connection import Connection as KombuConnection
from pydantic import SecretStr

from system.settings import WorkerSettings
from system.worker import app, frames
from system.worker.frames import FRAME_BYTES_MAX, TURN, BufferedTransport, Connection, Frame

DELIVERY = 1
HEARTBEAT = (8, 0, b"")


def wire(frame: Frame) -> bytes:
    kind, channel, payload = frame
    return pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


@contextmanager
def linked() -> Iterator[tuple[BufferedTransport, socket.socket]]:
    """A transport, and the other end of its connection."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        transport = BufferedTransport("nowhere")
        transport.sock, transport.connected = ours, True
        transport._setup_transport()
        ours.settimeout(5)
        yield transport, theirs


def reading(transport: BufferedTransport) -> Connection:
    connection = Connection("nowhere")
    connection._transport = transport
    return connection


FRAMES = st.lists(
    st.tuples(st.sampled_from([1, 2, 3, 8]), st.integers(0, 65535), st.binary(max_size=300)),
    max_size=6,
)


@given(sent=FRAMES, cuts=st.lists(st.integers(0, 2000), max_size=6))
def test_frames_come_out_whole_and_in_order_however_they_are_cut(
    sent: list[Frame], cuts: list[int]
) -> None:
    stream = b"".join(map(wire, sent))
    edges = [0, *sorted(cut for cut in cuts if cut < len(stream)), len(stream)]
    with linked() as (transport, broker):
        transport.sock.settimeout(0)
        come = []
        for begin, end in pairwise(edges):
            broker.sendall(stream[begin:end])
            try:
                while True:
                    come.append(transport.read_frame())
            except TimeoutError:
                assert transport.connected
    assert come == sent


@pytest.mark.parametrize(
    ("come", "words"),
    [
        (wire((DELIVERY, 1, b"abc"))[:-1] + b"\x00", "ends with 0x0"),
        (pack(">BHI", 1, 1, FRAME_BYTES_MAX + 1) + b"a", "bytes"),
    ],
)
def test_what_is_no_frame_is_said(come: bytes, words: str) -> None:
    with linked() as (transport, broker):
        broker.sendall(come)
        with pytest.raises(UnexpectedFrame, match=words):
            transport.read_frame()


def test_a_connection_that_ended_is_lost() -> None:
    with linked() as (transport, broker):
        broker.sendall(wire(HEARTBEAT)[:3])
        broker.close()
        with pytest.raises(ConnectionResetError):
            transport.read_frame()
        assert not transport.connected


def test_a_connection_that_the_kernel_gave_up_is_lost_though_python_calls_that_a_time_out() -> None:
    with linked() as (transport, _):

        def given_up(_: int) -> bytes:
            raise TimeoutError(errno.ETIMEDOUT, "Connection timed out")

        transport._quick_recv = given_up
        with pytest.raises(ConnectionResetError):
            transport.read_frame()
        assert not transport.connected


def test_all_that_came_is_handled_and_each_may_write_and_wait() -> None:
    with linked() as (transport, broker):
        connection = reading(transport)
        handled: list[tuple[Frame, float | None]] = []
        connection.on_inbound_frame = lambda frame: handled.append(
            (frame, transport.sock.gettimeout())
        )
        sent = [(DELIVERY, number, b"x" * number) for number in range(5)]
        broker.sendall(b"".join(map(wire, sent)) + wire(HEARTBEAT)[:-1])
        assert connection.take(TURN) is False
        # The socket waits again: a half-written frame would end the connection.
        assert handled == [(frame, 5) for frame in sent]
        broker.sendall(wire(HEARTBEAT)[-1:])
        assert connection.take(TURN) is False
        assert handled[5:] == [(HEARTBEAT, 5)]


def test_a_turn_ends_so_that_the_event_loop_sees_to_other_things() -> None:
    with linked() as (transport, broker):
        connection = reading(transport)
        handled: list[Frame] = []
        connection.on_inbound_frame = handled.append
        broker.sendall(wire(HEARTBEAT) * 5)
        assert connection.take(2) is True
        assert len(handled) == 2
        asked: list[Any] = []
        loop = SimpleNamespace(call_soon=lambda *what: asked.append(what))
        way: Any = frames.Transport(None)  # type: ignore[no-untyped-call]
        way.on_readable(connection, loop)
        assert len(handled) == 5
        assert asked == []
        broker.sendall(wire(HEARTBEAT) * (TURN + 1))
        way.on_readable(connection, loop)
        assert len(handled) == 5 + TURN
        assert asked == [(way.on_readable, connection, loop)]


def test_nothing_is_handled_after_the_connection_was_closed() -> None:
    with linked() as (transport, broker):
        connection = reading(transport)
        handled: list[Frame] = []

        def close(frame: Frame) -> None:
            handled.append(frame)
            transport.connected = False

        connection.on_inbound_frame = close
        broker.sendall(wire(HEARTBEAT) * 2)
        connection.take(TURN)
        assert len(handled) == 1
        with pytest.raises(RecoverableConnectionError):
            frames.Transport(None).on_readable(connection, None)  # type: ignore[no-untyped-call]


def test_tls_is_read_as_py_amqp_does() -> None:
    context = {"cert_reqs": ssl.CERT_REQUIRED}
    made = Connection("nowhere").Transport("nowhere", 1.0, context)
    assert isinstance(made, SSLTransport)


def test_a_worker_reads_so(monkeypatch: pytest.MonkeyPatch) -> None:
    aliases = kombu_transport.TRANSPORT_ALIASES
    monkeypatch.setitem(aliases, "amqp", aliases["amqp"])
    monkeypatch.setattr(kombu_transport, "_transport_cache", {})
    app.create(WorkerSettings(broker_url=SecretStr("amqp://nowhere")))
    connection = KombuConnection("amqp://guest@nowhere")
    assert connection.get_transport_cls() is frames.Transport
    connection.switch("amqp://guest@elsewhere")
    assert connection.get_transport_cls() is frames.Transport
    assert connection.as_uri().startswith("amqp://")
