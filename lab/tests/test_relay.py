"""Relays, between real sockets: all passes, until a link is cut, stalled or slowed."""

from __future__ import annotations

import gc
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress

import pytest
import urllib3

from lab.errors import SubstrateError
from lab.substrates.answering import Answer, respond
from lab.substrates.local.links import Links
from lab.substrates.plan import Link
from lab.substrates.relay import HOST
from lab.wait import eventually, stopwatch

LINK = Link.WORKER_BROKER
SOON_S = 60.0
SHORT_S = 0.3
MB = 1024 * 1024


class Echo:
    """A server that says what it hears, and remembers its connections."""

    def __init__(self) -> None:
        self._listener = socket.create_server((HOST, 0))
        self.port = int(self._listener.getsockname()[1])
        self.connections: list[socket.socket] = []
        self.ended = threading.Semaphore(0)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections.append(connection)
                threading.Thread(target=self._echo, args=[connection], daemon=True).start()

    def _echo(self, connection: socket.socket) -> None:
        with suppress(OSError):
            while heard := connection.recv(65536):
                connection.sendall(heard)
        self.ended.release()

    def close(self) -> None:
        """Close everything."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self.connections:
            each.close()


@pytest.fixture
def echo() -> Iterator[Echo]:
    with closing(Echo()) as server:
        yield server


@pytest.fixture
def links() -> Iterator[Links]:
    links = Links()
    yield links
    links.close_links()


@pytest.fixture
def port(echo: Echo, links: Links) -> int:
    """Where the relay to the echo listens."""
    return links.open_link(LINK, _free_port, lambda: echo.port)


def _free_port() -> int:
    with socket.create_server((HOST, 0)) as taken:
        return int(taken.getsockname()[1])


def _call(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), timeout=SOON_S)


def _ask(caller: socket.socket, words: bytes = b"hello") -> bytes:
    caller.sendall(words)
    answer = b""
    while len(answer) < len(words):
        heard = caller.recv(65536)
        if not heard:
            break
        answer += heard
    return answer


def _is_silent(caller: socket.socket) -> bool:
    """Whether nothing comes, not even the end, for a moment."""
    caller.settimeout(SHORT_S)
    try:
        return caller.recv(1) is None
    except TimeoutError:
        return True
    finally:
        caller.settimeout(SOON_S)


def test_bytes_pass_both_ways_however_many(port: int) -> None:
    words = bytes(range(256)) * 20_000  # 5 MB: more than all buffers on the way hold

    with _call(port) as caller:
        threading.Thread(target=caller.sendall, args=[words], daemon=True).start()
        answer = b""
        while len(answer) < len(words):
            answer += caller.recv(1 << 20)

    assert answer == words


def test_a_gentle_relay_ends_callers_in_order_whatever_they_still_send(
    echo: Echo, links: Links
) -> None:
    """A forward into a cluster carries several connections, and ends if one is reset."""
    port = links.open_link(LINK, _free_port, lambda: echo.port, gentle=True)
    with _call(port) as caller:
        assert _ask(caller) == b"hello"
        echo.connections[0].shutdown(socket.SHUT_RDWR)
        assert caller.recv(1) == b""
        caller.sendall(b"too late")  # what is refused by a reset fails at the next one
        caller.sendall(b"as well")
        caller.shutdown(socket.SHUT_WR)
        assert caller.recv(1) == b""


def test_a_gentle_relay_without_a_target_ends_callers_in_order(links: Links) -> None:
    """More than fits on the way: what is left unread is answered by a reset."""
    port = links.open_link(LINK, _free_port, _free_port, gentle=True)
    with _call(port) as caller:
        caller.sendall(b"x" * 8 * MB)
        assert caller.recv(1) == b""


def test_a_side_that_does_not_read_holds_the_other_side_up(links: Links) -> None:
    offered = 256 * MB  # far more than the system's own buffers on the way
    with socket.create_server((HOST, 0)) as listener:
        relayed = links.open_link(LINK, _free_port, lambda: int(listener.getsockname()[1]))
        with _call(relayed) as caller, listener.accept()[0]:
            caller.settimeout(SHORT_S)
            taken = 0
            with suppress(TimeoutError):
                while taken < offered:
                    taken += caller.send(bytes(MB))

    assert 0 < taken < offered


def test_the_end_of_one_side_ends_the_other(port: int, echo: Echo) -> None:
    with _call(port) as caller:
        assert _ask(caller) == b"hello"
    assert echo.ended.acquire(timeout=SOON_S)

    with _call(port) as caller:
        assert _ask(caller) == b"hello"
        echo.connections[-1].shutdown(socket.SHUT_RDWR)
        assert caller.recv(1) == b""


def test_a_caller_is_turned_away_where_nobody_answers(links: Links) -> None:
    nobody = _free_port()
    relayed = links.open_link(LINK, _free_port, lambda: nobody)

    with _call(relayed) as caller, suppress(ConnectionResetError):
        assert caller.recv(1) == b""


def test_a_cut_closes_connections_and_refuses_new_ones_until_it_heals(
    port: int, links: Links, echo: Echo
) -> None:
    with _call(port) as caller:
        assert _ask(caller) == b"hello"
        links.cut(LINK)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""
    assert echo.ended.acquire(timeout=SOON_S)
    with pytest.raises(ConnectionRefusedError):
        _call(port)

    links.heal(LINK)
    with _call(port) as caller:
        assert _ask(caller) == b"hello"


def test_a_stall_holds_everything_back_and_loses_nothing(port: int, links: Links) -> None:
    with _call(port) as before:
        assert _ask(before) == b"hello"
        links.stall(LINK)
        before.sendall(b"held back")
        with _call(port) as during:
            during.sendall(b"me too")
            assert _is_silent(before)
            assert _is_silent(during)

            links.heal(LINK)
            assert before.recv(100) == b"held back"
            assert during.recv(100) == b"me too"


def test_a_slow_link_takes_its_time_and_is_as_fast_as_ever_afterwards(
    port: int, links: Links
) -> None:
    with _call(port) as caller:
        links.slow(LINK, latency_s=SHORT_S)
        with stopwatch() as seconds:
            assert _ask(caller) == b"hello"
        assert seconds() >= 2 * SHORT_S  # there and back

        links.heal(LINK)
        eventually(
            "an answer without latency",
            lambda: _seconds_to_answer(caller) < SHORT_S,
            within_s=SOON_S,
        )


def _seconds_to_answer(caller: socket.socket) -> float:
    """On a busy machine one may be late, but not all of them."""
    with stopwatch() as seconds:
        assert _ask(caller) == b"hello"
    return seconds()


def test_a_narrow_link_lets_so_many_bytes_through_in_a_second(port: int, links: Links) -> None:
    links.slow(LINK, bytes_per_s=100_000)

    with _call(port) as caller, stopwatch() as seconds:
        assert len(_ask(caller, bytes(50_000))) == 50_000
    assert seconds() >= 0.5


def test_an_unsteady_link_takes_another_time_each_time_and_keeps_the_order(
    port: int, links: Links
) -> None:
    links.slow(LINK, jitter_s=SHORT_S)

    with _call(port) as caller:
        times = [_seconds_to_answer(caller) for _ in range(20)]
        assert max(times) - min(times) > SHORT_S / 4
        assert min(times) < SHORT_S
        numbers = bytes(range(256)) * 500
        assert _ask(caller, numbers) == numbers


def test_after_a_half_open_one_side_knows_and_the_other_does_not(
    port: int, links: Links, echo: Echo
) -> None:
    with _call(port) as caller:
        assert _ask(caller) == b"hello"
        links.half_open(LINK)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""
    echo.connections[0].sendall(b"are you there?")
    assert _is_silent(echo.connections[0])

    with _call(port) as again:  # new connections are served
        assert _ask(again) == b"hello"
        links.heal(LINK)
        assert echo.ended.acquire(timeout=SOON_S)
        assert _ask(again) == b"hello"  # and what is whole stays so


ANSWERS = {
    Answer.ERROR: (500, "application/json"),
    Answer.BUSY: (429, "application/json"),
    Answer.MISSING: (404, "text/html; charset=utf-8"),
    Answer.PAGE: (200, "text/html; charset=utf-8"),
    Answer.EMPTY: (200, "application/json"),
    Answer.OTHERS: (200, "application/json"),
    Answer.LIE: (200, "application/json"),
}
POSTED = json.dumps([{"message_id": "m-1"}, {"message_id": "m-2"}]).encode()


@pytest.mark.parametrize("how", ANSWERS)
def test_a_relay_answers_requests_itself_and_the_target_hears_of_none(
    how: Answer, port: int, links: Links, echo: Echo
) -> None:
    links.answer(LINK, how)
    with urllib3.PoolManager(retries=False, timeout=SOON_S) as pool:
        for _ in range(2):  # also on a connection that stays
            answer = pool.request("POST", f"http://{HOST}:{port}/api/matches", body=POSTED)
            assert (answer.status, answer.headers["Content-Type"]) == ANSWERS[how]
    assert echo.connections == []

    links.heal(LINK)
    with _call(port) as caller:
        assert _ask(caller) == b"hello"


def test_a_lie_looks_like_the_truth_and_a_busy_answer_says_when_to_come_back() -> None:
    body = respond(Answer.LIE, POSTED).partition(b"\r\n\r\n")[2]
    told = [(each["message_id"], each["effect"]) for each in json.loads(body)["outcomes"]]

    assert told == [("m-1", "created"), ("m-2", "created")]
    assert b"\r\nRetry-After: 1\r\n" in respond(Answer.BUSY, POSTED)


def test_who_is_not_answered_waits_until_the_link_is_healed_and_the_request_is_gone(
    port: int, links: Links, echo: Echo
) -> None:
    links.answer(LINK, Answer.NOTHING)
    with _call(port) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\n[]")
        assert _is_silent(caller)
        links.heal(LINK)
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""
    assert echo.connections == []


@pytest.mark.parametrize("other", ["cut", "stall", "slow", "half_open"])
def test_another_breach_ends_the_answers(other: str, port: int, links: Links, echo: Echo) -> None:
    links.answer(LINK, Answer.ERROR)
    with _call(port) as answered:
        answered.sendall(b"GET / HTTP/1.1\r\n\r\n")
        assert answered.recv(100).startswith(b"HTTP/1.1 500")
        getattr(links, other)(LINK)
        links.heal(LINK)
        with suppress(ConnectionResetError):
            while answered.recv(65536):
                pass
    with _call(port) as caller:
        assert _ask(caller) == b"hello"


def test_answering_closes_the_connections_that_there_are(
    port: int, links: Links, echo: Echo
) -> None:
    with _call(port) as before:
        assert _ask(before) == b"hello"
        links.answer(LINK, Answer.ERROR)
        with suppress(ConnectionResetError):
            assert before.recv(1) == b""
    assert echo.ended.acquire(timeout=SOON_S)


@pytest.mark.parametrize("length", [b"-1", b"99999999999", b"many"])
def test_a_request_of_no_sensible_length_ends_its_connection(
    length: bytes, port: int, links: Links
) -> None:
    links.answer(LINK, Answer.ERROR)
    with _call(port) as caller:
        caller.sendall(b"POST / HTTP/1.1\r\nContent-Length: " + length + b"\r\n\r\n")
        with suppress(ConnectionResetError):
            assert caller.recv(1) == b""


def test_healing_what_is_whole_changes_nothing(port: int, links: Links) -> None:
    with _call(port) as caller:
        links.heal(LINK)
        links.heal(LINK)
        assert _ask(caller) == b"hello"


def test_of_a_link_to_several_nodes_one_can_be_cut_or_all(links: Links) -> None:
    with closing(Echo()) as first, closing(Echo()) as second:
        ports = [
            links.open_link(LINK, _free_port, lambda port=each.port: port)  # type: ignore[misc]
            for each in (first, second)
        ]
        links.cut(LINK, node=1)
        with _call(ports[0]) as caller:
            assert _ask(caller) == b"hello"
        with pytest.raises(ConnectionRefusedError):
            _call(ports[1])
        links.cut(LINK)
        with pytest.raises(ConnectionRefusedError):
            _call(ports[0])

        links.heal(LINK)
        for port in ports:
            with _call(port) as caller:
                assert _ask(caller) == b"hello"
        with pytest.raises(SubstrateError, match="leads to no node 2"):
            links.cut(LINK, node=2)


def test_a_link_without_a_relay_says_how_to_get_one(links: Links) -> None:
    with pytest.raises(
        SubstrateError, match=r"worker-broker of this lab cannot be broken.*--breakable"
    ):
        links.cut(LINK)


def test_a_port_that_a_stranger_took_is_replaced(links: Links, echo: Echo) -> None:
    with socket.create_server((HOST, 0)) as stranger:
        offered = iter([stranger.getsockname()[1], _free_port()])
        relayed = links.open_link(LINK, lambda: next(offered), lambda: echo.port)

        with _call(relayed) as caller:
            assert _ask(caller) == b"hello"


def test_closing_leaves_no_thread_and_no_listener(echo: Echo) -> None:
    before = set(threading.enumerate())
    links = Links()
    port = links.open_link(LINK, _free_port, lambda: echo.port)
    with _call(port) as caller:
        assert _ask(caller) == b"hello"
        links.close_links()
        links.close_links()

    assert "relays" not in {each.name for each in set(threading.enumerate()) - before}
    with pytest.raises(ConnectionRefusedError):
        _call(port)


def test_callers_that_storm_a_link_while_it_is_cut_and_healed_leave_nothing_behind(
    port: int, links: Links
) -> None:
    """Whoever is just being accepted when the link is cut is turned away like the rest."""
    stop = threading.Event()

    def storm() -> None:
        while not stop.is_set():
            with suppress(OSError), _call(port) as caller:
                _ask(caller)

    callers = [threading.Thread(target=storm) for _ in range(4)]
    for each in callers:
        each.start()
    for _ in range(50):
        links.cut(LINK)
        links.heal(LINK)
    stop.set()
    for each in callers:
        each.join(timeout=SOON_S)
    gc.collect()  # what was left open would be complained about here

    with _call(port) as caller:
        assert _ask(caller) == b"hello"
