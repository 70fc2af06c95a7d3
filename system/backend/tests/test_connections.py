"""What a client may send and hold is bounded, as seen from outside a backend that is a process."""

from __future__ import annotations

import resource
import select
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import psutil
import psycopg
import pytest

from system.backend.tests.messages import message
from system.backend.tests.processes import started
from system.backend.tests.serving import TOKEN, Client

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

MIB = 1024 * 1024
KEPT_BYTES_MAX = 24 * MIB
"""What the process may grow by: the allocator's slack, and one read of each connection."""
CROWD = 1005
HEAD_S, BODY_S = 2.0, 2.0
MARGIN_S = 60.0
"""How long a busy machine may take for what is over at once otherwise."""
HALF_A_HEAD = b"POST /api/matches HTTP/1.1\r\nHost: test\r\nX-Half: "
PROBES = ("/healthz", "/readyz", "/metrics")


@pytest.fixture(scope="module")
def server(
    database_url: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, psutil.Process]]:
    """A backend with the bounds that it has by itself, but short times."""
    log = tmp_path_factory.mktemp("backend") / "log"
    with started(database_url, log, head_s=HEAD_S, body_s=BODY_S) as it:
        yield it


def test_a_head_of_hundreds_of_megabytes_is_refused_and_not_kept(
    server: tuple[Client, psutil.Process],
) -> None:
    client, process = server
    before = process.memory_info().rss
    value = b"x" * MIB
    with _wire(client) as wire:
        wire.sendall(b"POST /api/matches HTTP/1.1\r\nHost: test\r\n")
        sent = _send(wire, (b"X-%d: %s\r\n" % (n, value) for n in range(300)))
        assert _answer(wire) in ("431", "")  # the answer is lost if more is sent after it
    assert sent < 32 * MIB
    assert process.memory_info().rss - before < KEPT_BYTES_MAX


def test_an_address_of_megabytes_is_refused_and_not_kept(
    server: tuple[Client, psutil.Process],
) -> None:
    client, process = server
    before = process.memory_info().rss
    with _wire(client) as wire:
        wire.sendall(b"GET /")
        assert _send(wire, (b"x" * MIB for _ in range(300))) < 32 * MIB
    assert process.memory_info().rss - before < KEPT_BYTES_MAX


@pytest.mark.parametrize(("fields", "status"), [(99, "200"), (100, "431")])
def test_the_header_fields_of_a_request_are_counted(
    server: tuple[Client, psutil.Process], fields: int, status: str
) -> None:
    client, _ = server
    more = b"".join(b"X-%d: y\r\n" % n for n in range(fields))
    with _wire(client) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n" + more + b"\r\n")
        assert _answer(wire) == status


@pytest.mark.parametrize(("size", "status"), [(15_000, "200"), (17_000, "431")])
def test_the_bytes_of_a_head_are_counted_also_if_it_comes_in_one_piece(
    server: tuple[Client, psutil.Process], size: int, status: str
) -> None:
    client, _ = server
    with _wire(client) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\nX: " + b"y" * size + b"\r\n\r\n")
        assert _answer(wire) == status


def test_a_refusal_is_an_error_as_every_other(server: tuple[Client, psutil.Process]) -> None:
    client, _ = server
    for code, head in (
        ("head_too_large", {"X": "y" * 20_000}),
        ("malformed", {"Content-Length": "many"}),
    ):
        error = client.raw("GET", "/healthz", headers=head).json()["error"]
        assert (error["code"], error["details"]) == (code, [])
        assert f'http_refusals_total{{reason="{code}"}} 0.0' not in _metrics(client)


def test_a_crowd_with_half_a_head_each_shuts_out_nobody_and_is_ended(
    server: tuple[Client, psutil.Process],
) -> None:
    client, _ = server
    _allow_open_files(CROWD + 100)
    with ExitStack() as open_ones:
        crowd = [open_ones.enter_context(_wire(client)) for _ in range(CROWD)]
        for wire in crowd:
            with _given_up():
                wire.sendall(HALF_A_HEAD)
        # The connection of the test before may be given away while a request is on its way to it.
        client.close()
        begun = time.monotonic()
        for path in PROBES:
            assert client.raw("GET", path, timeout=MARGIN_S).status == 200
        assert _post(client, "amid-the-crowd")[0] in (200, 201)
        assert time.monotonic() - begun < HEAD_S + MARGIN_S
        _until("the crowd to be ended", lambda: all(map(_is_ended, crowd)), HEAD_S + MARGIN_S)


def test_a_crowd_that_comes_again_and_again_shuts_out_nobody(
    database_url: str, tmp_path: Path
) -> None:
    """With the time-out of minutes: here only the bound on connections helps."""
    with started(database_url, tmp_path / "log", connections_max=50, head_s=600) as (client, _):
        for round_ in range(5):
            with ExitStack() as open_ones:
                for _ in range(150):
                    wire = open_ones.enter_context(_wire(client))
                    with _given_up():
                        wire.sendall(HALF_A_HEAD)
                # The connection of the round before waits, too, so its place may be given away
                # while a request is on its way to it. A newcomer's is not.
                client.close()
                for path in PROBES:
                    assert client.raw("GET", path, timeout=MARGIN_S).status == 200
                assert _post(client, f"round-{round_}")[0] in (200, 201)


def test_a_head_that_drips_is_ended_although_something_always_comes(
    server: tuple[Client, psutil.Process],
) -> None:
    client, _ = server
    with _wire(client) as wire:
        answer = _drip(wire, HALF_A_HEAD, b"y", HEAD_S + MARGIN_S)
        assert answer.startswith(b"HTTP/1.1 408")


def test_empty_lines_that_drip_between_requests_are_ended(
    server: tuple[Client, psutil.Process],
) -> None:
    client, _ = server
    with _wire(client) as wire:
        wire.sendall(b"GET /healthz HTTP/1.1\r\nHost: test\r\n\r\n")
        assert _answer(wire) == "200"
        _drip(wire, b"", b"\r\n", HEAD_S + MARGIN_S)


@pytest.mark.parametrize(("token", "status"), [(TOKEN, b"408"), ("wrong", b"403")])
def test_a_body_that_drips_is_ended(
    server: tuple[Client, psutil.Process], token: str, status: bytes
) -> None:
    client, _ = server
    with _wire(client) as wire:
        answer = _drip(wire, _head_of_a_post(token), b"1\r\n \r\n", BODY_S + MARGIN_S)
        assert answer.startswith(b"HTTP/1.1 " + status)


def test_trailers_without_end_are_refused_and_not_kept(
    server: tuple[Client, psutil.Process],
) -> None:
    client, process = server
    before = process.memory_info().rss
    with _wire(client) as wire:
        wire.sendall(_head_of_a_post(TOKEN) + b"1\r\n \r\n0\r\nX: ")
        assert _send(wire, (b"x" * MIB for _ in range(300))) < 32 * MIB
    assert process.memory_info().rss - before < KEPT_BYTES_MAX


def test_a_client_that_does_not_read_its_answers_is_given_up(
    server: tuple[Client, psutil.Process],
) -> None:
    client, _ = server
    with _wire(client) as wire:
        with _given_up():
            wire.sendall(b"GET /openapi.json HTTP/1.1\r\nHost: test\r\n\r\n" * 3000)  # some 50 MB
        _until(
            "the client to be given up",
            lambda: 'http_refusals_total{reason="answer_not_read"} 0.0' not in _metrics(client),
            BODY_S + MARGIN_S,
        )


def test_probes_are_answered_while_all_places_have_a_request_in_hand(
    clean: str, connection: psycopg.Connection, tmp_path: Path
) -> None:
    with started(clean, tmp_path / "log", connections_max=2, pool_size=4) as (client, _):
        with connection.transaction():
            connection.execute("LOCK TABLE teams")
            stuck = [threading.Thread(target=_post, args=(client, f"stuck-{n}")) for n in range(2)]
            for each in stuck:
                each.start()
            _until("both to wait", lambda: "in_flight 3.0" in _metrics(client), MARGIN_S)
            assert client.raw("GET", "/api/matches").status == 503
            for path in PROBES:
                assert client.raw("GET", path).status == 200
        for each in stuck:
            each.join()
        _until("a place", lambda: client.raw("GET", "/api/matches").status == 200, MARGIN_S)


def _wire(client: Client) -> socket.socket:
    return socket.create_connection(("127.0.0.1", client.port), timeout=MARGIN_S)


def _head_of_a_post(token: str) -> bytes:
    lines = (
        "POST /api/matches HTTP/1.1",
        "Host: test",
        f"Authorization: Bearer {token}",
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    )
    return "\r\n".join([*lines, "", ""]).encode()


def _post(client: Client, message_id: str) -> tuple[int, object]:
    return client.post(message(message_id).model_dump(mode="json"))


def _metrics(client: Client) -> str:
    return client.raw("GET", "/metrics").data.decode()


@contextmanager
def _given_up() -> Iterator[None]:
    """The server may have ended the connection already."""
    with suppress(BrokenPipeError, ConnectionResetError):
        yield


def _send(wire: socket.socket, parts: Iterator[bytes]) -> int:
    """Send until all is sent or the other side gives up; return how many bytes were taken."""
    sent = 0
    with _given_up():
        for part in parts:
            wire.sendall(part)
            sent += len(part)
    return sent


def _answer(wire: socket.socket) -> str:
    """The status of the answer; nothing if the connection was ended without."""
    with _given_up():
        return wire.recv(4096).decode().partition(" ")[2][:3]
    return ""


def _has_come(wire: socket.socket, within_s: float) -> bool:
    """Whether there is something to read, or the end; by `poll`, for which no number is too big."""
    waiting = select.poll()
    waiting.register(wire, select.POLLIN)
    return bool(waiting.poll(within_s * 1000))


def _is_ended(wire: socket.socket) -> bool:
    """Whether the server has ended the connection; reads what it said."""
    while _has_come(wire, 0):
        try:
            if not wire.recv(65536):
                return True
        except OSError:
            return True
    return False


def _drip(wire: socket.socket, first: bytes, then: bytes, within_s: float) -> bytes:
    """Send a little again and again until the server ends the connection; return what it said."""
    answer = b""
    deadline = time.monotonic() + within_s
    with _given_up():
        wire.sendall(first)
        while time.monotonic() < deadline:
            if _has_come(wire, 0.1):
                said = wire.recv(65536)
                if not said:
                    return answer
                answer += said
            wire.sendall(then)
        raise AssertionError(f"still open after {within_s:g} s")
    return answer


def _until(what: str, look: Callable[[], bool], within_s: float) -> None:
    deadline = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def _allow_open_files(wanted: int) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this user may open {hard} files; {wanted} are needed")
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
