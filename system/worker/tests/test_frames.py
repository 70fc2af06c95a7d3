"""The worker reads frames as they come: in pieces, many at once, wrong ones, or none any more."""

from __future__ import annotations

import errno
import select
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from struct import pack

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
from system.worker.frames import CHUNK_BYTES, FRAME_BYTES_MAX, BufferedTransport, Connection, Frame

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
        connection.take()
        # The socket waits again: a half-written frame would end the connection.
        assert handled == [(frame, 5) for frame in sent]
        connection.take()
        assert len(handled) == 5
        broker.sendall(wire(HEARTBEAT)[-1:])
        connection.take()
        assert handled[5:] == [(HEARTBEAT, 5)]


def test_a_turn_ends_so_that_the_event_loop_sees_to_other_things() -> None:
    with linked() as (transport, broker):
        connection = reading(transport)
        handled: list[Frame] = []
        connection.on_inbound_frame = handled.append
        broker.sendall(wire((DELIVERY, 1, b"x" * 1000)) * 50)
        connection.take()
        assert len(handled) == CHUNK_BYTES // 1008


@pytest.mark.parametrize("payload", [b"", b"x", b"x" * 300])
def test_who_waits_for_a_frame_leaves_what_follows_where_the_event_loop_sees_it(
    payload: bytes,
) -> None:
    """Deliveries that came behind an answer would lie in the worker until the next heartbeat."""
    answer, delivery = (DELIVERY, 1, payload), (DELIVERY, 1, b"delivery")
    with linked() as (transport, broker):
        broker.sendall(wire(answer) + wire(delivery))
        assert transport.read_frame() == answer
        assert transport.next_frame() is None
        connection = reading(transport)
        handled: list[Frame] = []
        connection.on_inbound_frame = handled.append
        assert select.select([transport.sock], [], [], 0)[0] == [transport.sock]
        frames.Transport(None).on_readable(connection, None)  # type: ignore[no-untyped-call]
        assert handled == [delivery]


def test_who_waits_within_a_delivery_finds_the_answer_among_what_has_come() -> None:
    with linked() as (transport, broker):
        connection = reading(transport)
        handled: list[Frame] = []

        def ask(frame: Frame) -> None:
            handled.append(frame)
            if len(handled) == 1:
                handled.append(transport.read_frame())

        connection.on_inbound_frame = ask
        sent = [(DELIVERY, number, b"") for number in range(3)]
        broker.sendall(b"".join(map(wire, sent)))
        connection.take()
        assert handled == sent


def test_nothing_is_handled_after_the_connection_was_closed() -> None:
    with linked() as (transport, broker):
        connection = reading(transport)
        handled: list[Frame] = []

        def close(frame: Frame) -> None:
            handled.append(frame)
            transport.connected = False

        connection.on_inbound_frame = close
        broker.sendall(wire(HEARTBEAT) * 2)
        connection.take()
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
