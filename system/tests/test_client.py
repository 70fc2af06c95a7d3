"""The backend's client believes an answer only if it is about what it has posted."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from system.client import BackendClient
from system.contract.submission import Effect, Submission
from system.errors import ApiFailed, ApiUnavailable, NotTheBackend, Refused

MESSAGES = [Submission(message_id=each, match={}) for each in ("m-1", "m-2")]


def outcome(message_id: str, **more: Any) -> dict[str, Any]:
    return {"message_id": message_id, "effect": "created", "match_id": 1, **more}


RIGHT = {"outcomes": [outcome("m-1"), outcome("m-2")]}
UNEXPECTED: dict[str, object] = {
    "nothing at all": {},
    "a list": [outcome("m-1"), outcome("m-2")],
    "no list": {"outcomes": 2},
    "a word": "stored",
    "null": None,
    "too few": {"outcomes": [outcome("m-1")]},
    "too many": {"outcomes": [*RIGHT["outcomes"], outcome("m-3")]},
    "an effect that is none": {"outcomes": [outcome("m-1"), outcome("m-2", effect="lost")]},
    "outcomes without their message": {"outcomes": [{"effect": "created"}] * 2},
    "those of other messages": {"outcomes": [outcome("m-3"), outcome("m-4")]},
    "another order": {"outcomes": [outcome("m-2"), outcome("m-1")]},
}


@contextmanager
def answering(status: int, content: bytes, **headers: str) -> Iterator[BackendClient]:
    """A client of a server that answers every request so."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with BackendClient(f"http://127.0.0.1:{server.server_port}", "token") as client:
            yield client
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_an_answer_about_what_was_posted_is_believed() -> None:
    with answering(200, json.dumps(RIGHT).encode()) as client:
        assert [each.effect for each in client.post(MESSAGES)] == [Effect.CREATED] * 2


@pytest.mark.parametrize("answer", UNEXPECTED.values(), ids=UNEXPECTED)
def test_an_answer_about_anything_else_counts_as_none_and_may_be_asked_for_again(
    answer: object,
) -> None:
    with (
        answering(200, json.dumps(answer).encode()) as client,
        pytest.raises(ApiUnavailable, match=r"unexpected answer|for other messages"),
    ):
        client.post(MESSAGES)


def test_a_page_for_people_counts_as_no_answer() -> None:
    with (
        answering(200, b"<h1>Maintenance</h1>", Content_Type="text/html") as client,
        pytest.raises(ApiUnavailable, match="no JSON"),
    ):
        client.post(MESSAGES)


REFUSAL = json.dumps({"error": {"code": "too_large", "message": "no", "details": []}}).encode()


@pytest.mark.parametrize("status", [404, 405, 413])
def test_an_answer_about_the_way_is_no_refusal_of_a_message(status: int) -> None:
    """A proxy without a route, or with a smaller limit, answers so, too, and then is mended."""
    for content in (b"<h1>404 Not Found</h1>", b"", b'{"error": "no route"}', b'{"error": {}}'):
        with answering(status, content) as client, pytest.raises(NotTheBackend, match=str(status)):
            client.post(MESSAGES)
    with answering(status, REFUSAL) as client, pytest.raises(Refused, match="too_large"):
        client.post(MESSAGES)


@pytest.mark.parametrize("status", [400, 403, 422])
def test_what_a_rule_in_between_refuses_is_refused_for_good(status: int) -> None:
    """It may be about the one match, which would be refused again; an operator can replay it."""
    with answering(status, b"a rule forbids it") as client, pytest.raises(Refused, match="a rule"):
        client.post(MESSAGES)


@pytest.mark.parametrize(
    ("status", "error"), [(429, ApiUnavailable), (500, ApiFailed), (503, ApiUnavailable)]
)
def test_who_is_told_to_come_back_later_may_do_so(status: int, error: type[Exception]) -> None:
    with (
        answering(status, b"later", Retry_After="1") as client,
        pytest.raises(error, match="later"),
    ):
        client.post(MESSAGES)
