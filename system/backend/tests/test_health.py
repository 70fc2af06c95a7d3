"""Health, readiness and metrics of a backend whose database comes and goes."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import pytest

from system.backend import database, migrations
from system.backend.tests.messages import message
from system.backend.tests.postgres import Server, new_database, running_server
from system.backend.tests.serving import Client, serving
from system.tests.ports import free_port

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]


def _until(what: str, look: Callable[[], bool], within_s: float = 60) -> None:
    deadline = time.monotonic() + within_s
    while not look():
        assert time.monotonic() < deadline, f"waited for {what}"
        time.sleep(0.05)


def _post(client: Client, message_id: str) -> tuple[int, Any]:
    return client.post(message(message_id).model_dump(mode="json"))


def _post_when_not_busy(client: Client, message_id: str) -> tuple[int, Any]:
    """Again and again while there is no connection within the short time of a test: see WAIT_S."""
    answers: list[tuple[int, Any]] = []

    def post() -> bool:
        answers.append(_post(client, message_id))
        return answers[-1][0] != 503

    _until("a connection", post)
    return answers[-1]


def _await_ready(client: Client) -> None:
    _until("it to be ready", lambda: client.get("/readyz") == (200, {"status": "ready"}))


def _away(client: Client) -> None:
    for path in ("/readyz", "/api/matches", "/api/receipts", "/"):
        answer = client.raw("GET", path)
        assert answer.status == 503, path
        assert answer.headers["Retry-After"] == "1"
        assert answer.json()["error"]["code"] == "database_unavailable"
    assert _post(client, "while-away")[0] == 503
    assert client.get("/healthz") == (200, {"status": "alive"})


def test_it_starts_without_a_database_says_so_and_recovers_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(database, "WAIT_S", 0.5)
    with running_server() as server:
        server.stop()
        with serving(server.url("postgres")) as client:
            _away(client)
            server.start()
            _until("not migrated", lambda: "migrate" in str(client.get("/readyz")[1]))
            assert _post(client, "a")[0] == 503
            migrations.upgrade(server.url("postgres"))
            _await_ready(client)
            assert _post_when_not_busy(client, "a")[0] == 201

            server.stop()
            _away(client)
            server.start()
            _await_ready(client)
            assert _post_when_not_busy(client, "a")[1]["effect"] == "duplicate"


def test_connections_that_died_unseen_cost_no_request(
    postgres_server: Server, backend: Client, clean: str
) -> None:
    with psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin:
        for n in range(5):
            admin.execute(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity"
                " WHERE application_name = 'missing-table-backend'"
            )
            assert _post(backend, f"m{n}")[0] in (200, 201)


def test_a_connection_that_has_just_worked_is_asked_only_if_its_end_has_come(
    postgres_server: Server, clean: str
) -> None:
    with (
        psycopg.connect(postgres_server.url("postgres"), autocommit=True) as admin,
        database.BoundedConnection.connect(clean, autocommit=True) as connection,
    ):
        connection.worked_at = time.monotonic() + 3600
        connection.execute("SELECT 1")
        asked = connection.execute("SELECT pg_backend_pid()").fetchone()
        database.check(connection)
        seen = "SELECT query FROM pg_stat_activity WHERE pid = %s"
        assert admin.execute(seen, asked).fetchone() == ("SELECT pg_backend_pid()",)
        connection.worked_at = 0
        database.check(connection)
        assert admin.execute(seen, asked).fetchone() != ("SELECT pg_backend_pid()",)

        connection.worked_at = time.monotonic() + 3600
        admin.execute("SELECT pg_terminate_backend(%s, 60000)", asked)
        _until("the end to have come", lambda: _is_refused(connection))


def _is_refused(connection: database.BoundedConnection) -> bool:
    try:
        database.check(connection)
    except psycopg.OperationalError:
        return True
    return False


def test_a_database_at_an_earlier_revision_is_not_ready(postgres_server: Server) -> None:
    with new_database(postgres_server) as url, serving(url) as client:
        migrations.upgrade(url, "0001")
        _until("its revision", lambda: "at revision" in str(client.get("/readyz")[1]))
        status, body = client.get("/readyz")
        assert status == 503
        assert "at revision 0001" in body["error"]["message"]
        migrations.upgrade(url)
        _await_ready(client)


def test_a_database_at_a_later_revision_is_ready(postgres_server: Server) -> None:
    """Else no version could serve while the next one comes, nor again after a rollback."""
    with new_database(postgres_server) as url, serving(url) as client:
        migrations.upgrade(url)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("UPDATE alembic_version SET version_num = '9999'")
        _await_ready(client)


def test_a_link_that_swallows_everything_is_given_up(
    clean: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "ANSWER_S", 1.0)
    monkeypatch.setattr(database, "WAIT_S", 1.0)
    with _relay(clean) as (url, swallow), serving(url, pool_size=2) as client:
        _await_ready(client)
        swallow.set()
        begun = time.monotonic()
        for _ in range(2):
            assert client.get("/readyz")[0] == 503
        assert time.monotonic() - begun < 12
        assert client.get("/healthz")[0] == 200
        swallow.clear()
        _await_ready(client)


def test_too_many_at_once_are_told_to_come_later(
    clean: str, connection: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(database, "WAIT_S", 0.5)
    with serving(clean, pool_size=1) as client:
        with connection.transaction():
            connection.execute("LOCK TABLE teams")
            stuck = threading.Thread(target=_post_when_not_busy, args=(client, "stuck"))
            stuck.start()
            _until("the writer to wait", lambda: _waiting(connection))
            status, body = client.get("/api/receipts")
            assert status == 503
            assert "busy" in body["error"]["message"]
        stuck.join()
        assert _post_when_not_busy(client, "stuck")[1]["effect"] == "duplicate"


def _waiting(connection: psycopg.Connection) -> bool:
    row = connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return row is not None and row[0] > 0


def test_metrics_count_by_template_effect_and_time(clean: str) -> None:
    with serving(clean) as client:
        _await_ready(client)
        _post(client, "a")
        _post(client, "a")
        client.post({"message_id": "b", "match": {}})
        client.get("/api/matches/1")
        client.get("/api/matches/2")
        client.get("/nowhere/at/all")
        client.raw("BREW", "/api/matches/1")
        text = client.raw("GET", "/metrics").data.decode()
    for line in (
        'http_requests_total{method="POST",route="/api/matches",status="201"} 1.0',
        'http_requests_total{method="GET",route="/api/matches/{match_id}",status="200"} 1.0',
        'http_requests_total{method="GET",route="/api/matches/{match_id}",status="404"} 1.0',
        'http_requests_total{method="GET",route="(none)",status="404"} 1.0',
        'effects_total{effect="created",way="http"} 1.0',
        'effects_total{effect="duplicate",way="http"} 1.0',
        'effects_total{effect="invalid",way="http"} 1.0',
        'effects_total{effect="updated",way="queue"} 0.0',
        'http_request_seconds_count{method="POST",route="/api/matches"} 3.0',
        'database_seconds_count{operation="apply"} 3.0',
        'message_latency_seconds_count{outcome="committed",way="http"} 1.0',
        'message_latency_seconds_bucket{le="0.5",outcome="committed",way="queue"} 0.0',
        "http_requests_in_flight 1.0",  # the one that asks
    ):
        assert f"missing_table_{line}\n" in text, line
    assert 'http_request_seconds_bucket{le="0.5",method="POST",route="/api/matches"} ' in text
    assert "nowhere" not in text
    assert "BREW" not in text


@contextmanager
def _relay(url: str) -> Iterator[tuple[str, threading.Event]]:
    """A way to the database that, while the event is set, swallows all that is said."""
    target = psycopg.conninfo.conninfo_to_dict(url)
    swallow, done = threading.Event(), threading.Event()
    threads: list[threading.Thread] = []
    port = free_port()
    listener = socket.create_server(("127.0.0.1", port))
    listener.settimeout(0.1)

    def pump(source: socket.socket, sink: socket.socket) -> None:
        source.settimeout(0.1)
        while not done.is_set():
            try:
                data = source.recv(65536)
            except TimeoutError:
                continue
            except OSError:
                break
            if not data:
                break
            if not swallow.is_set():
                try:
                    sink.sendall(data)
                except OSError:
                    break
        source.close()
        sink.close()

    def accept() -> None:
        while not done.is_set():
            try:
                near, _ = listener.accept()
            except TimeoutError:
                continue
            far = socket.create_connection((str(target["host"]), int(str(target["port"]))))
            for pair in ((near, far), (far, near)):
                threads.append(threading.Thread(target=pump, args=pair))
                threads[-1].start()

    acceptor = threading.Thread(target=accept)
    acceptor.start()
    try:
        yield psycopg.conninfo.make_conninfo(url, port=port), swallow
    finally:
        done.set()
        acceptor.join()
        for thread in threads:
            thread.join()
        listener.close()
