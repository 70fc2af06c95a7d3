"""A backend that keeps serving while its tokens, its password and its certificate are replaced."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from system.backend import migrations
from system.backend.tests.messages import message
from system.backend.tests.postgres import Server, running_server
from system.backend.tests.processes import started
from system.backend.tests.serving import Client
from system.tests.certificates import Authority, Certificate
from system.tests.ports import free_port

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(300)]

ROLE = "rotated"
LOOK_S = 10.0


def _post(client: Client, message_id: str, token: str) -> int:
    return client.post(message(message_id).model_dump(mode="json"), token=token)[0]


def test_each_line_of_the_file_is_a_token_that_is_accepted_while_it_is_there(
    database_url: str, clean: str, tmp_path: Path
) -> None:
    file = tmp_path / "tokens"
    file.write_text("of-yesterday\n")
    with started(database_url, tmp_path / "log", api_token_file=file) as (client, _):
        assert _post(client, "a", "of-yesterday") == 201
        assert _post(client, "b", "of-today") == 403
        file.write_text("of-today\nof-yesterday\n")
        assert _post(client, "c", "of-yesterday") == 200
        assert _post(client, "d", "of-today") == 200
        file.write_text("of-today\n")
        assert _post(client, "e", "of-yesterday") == 403
        assert _post(client, "f", "of-today") == 200
        file.write_text("")  # a slip: what held goes on holding, and nobody gets in without
        assert _post(client, "g", "of-today") == 200
        assert _post(client, "h", "") == 401
        assert _post(client, "i", "of-yesterday") == 403
    log = (tmp_path / "log").read_text()
    assert log.count(f"MISSING_TABLE_API_TOKEN_FILE, {file}: is empty") == 1
    assert "of-today" not in log


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[Server]:
    """A migrated server that asks one of its roles for a password."""
    rules = Path(f"/tmp/hba-{free_port()}")  # noqa: S108 - where the server's user can read it
    rules.write_text(
        f"host all {ROLE} 127.0.0.1/32 scram-sha-256\nhost all test 127.0.0.1/32 trust\n"
    )
    try:
        with running_server(hba_file=str(rules)) as server:
            migrations.upgrade(server.url("postgres"))
            with _superuser(server) as connection:
                connection.execute(f"CREATE ROLE {ROLE} LOGIN SUPERUSER PASSWORD 'first'")
            yield server
    finally:
        rules.unlink()


@contextmanager
def _superuser(server: Server) -> Iterator[psycopg.Connection]:
    with psycopg.connect(server.url("postgres"), autocommit=True) as connection:
        yield connection


def _rotate(server: Server, password: str) -> None:
    with _superuser(server) as connection:
        connection.execute(
            sql.SQL("ALTER ROLE {} PASSWORD {}").format(sql.Identifier(ROLE), sql.Literal(password))
        )
    _end_connections(server)


def _end_connections(server: Server) -> None:
    """End those of the role that there are now, and wait until they have ended."""
    with _superuser(server) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE usename = %s",
            [ROLE],
        )


def _url(server: Server, password: str) -> str:
    return server.url("postgres").replace("test@", f"{ROLE}:{password}@")


def test_a_new_password_of_the_database_is_taken_over(secured: Server, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(_url(secured, "first"))
    with started("", tmp_path / "log", database_url_file=file) as (client, _):
        assert client.post(message("a").model_dump(mode="json"))[0] == 201
        file.write_text(_url(secured, "second"))
        _rotate(secured, "second")
        deadline = time.monotonic() + 60
        while client.post(message("b").model_dump(mode="json"))[0] != 200:
            assert time.monotonic() < deadline
            time.sleep(0.1)


@pytest.mark.faults
def test_a_wrong_password_of_the_database_is_said_now_and_then_without_a_traceback(
    secured: Server, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    log = tmp_path / "log"
    file.write_text(_url(secured, "first"))
    with started("", log, database_url_file=file) as (client, _):
        file.write_text(_url(secured, "hush"))
        _rotate(secured, "second")
        # One that was being opened by the old password while it changed is still good.
        deadline = time.monotonic() + 60
        while client.get("/readyz")[0] != 503:
            assert time.monotonic() < deadline, "connections by the old password outlive it"
            _end_connections(secured)
        before = len(log.read_text())
        deadline = time.monotonic() + LOOK_S  # a rate is what is measured
        while time.monotonic() < deadline:
            assert client.get("/readyz")[0] == 503
        said = log.read_text()[before:]
    refusals = re.findall(r"^.*password authentication failed.*$", said, re.MULTILINE)
    assert 1 <= len(refusals) <= 2 * LOOK_S
    assert "Traceback" not in said
    assert "hush" not in said


def _shown(client: Client, trusted: Path) -> bytes:
    pem = ssl.get_server_certificate(("127.0.0.1", client.port), ca_certs=str(trusted), timeout=30)
    return ssl.PEM_cert_to_DER_cert(pem)


def _der(certificate: Certificate) -> bytes:
    return ssl.PEM_cert_to_DER_cert(certificate.cert.read_text())


@pytest.mark.faults
def test_a_new_certificate_is_shown_from_the_next_connection_on(
    database_url: str, clean: str, tmp_path: Path
) -> None:
    authority = Authority(tmp_path, "ours")
    root = authority.root.cert
    old, new = authority.issue("old"), authority.issue("new")
    cert, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    # The root beside it, as the client of this test trusts what is in the same file.
    cert.write_text(old.cert.read_text() + root.read_text())
    key.write_text(old.key.read_text())
    log = tmp_path / "log"
    with started(database_url, log, cert_file=cert, key_file=key) as (client, _):
        assert client.post(message("a").model_dump(mode="json"))[0] == 201
        assert _shown(client, root) == _der(old)
        cert.write_text(new.cert.read_text() + root.read_text())
        assert _shown(client, root) == _der(old)  # half of it: the key is still the old one
        key.write_text(new.key.read_text())
        assert _shown(client, root) == _der(new)
        assert client.post(message("b").model_dump(mode="json"))[0] == 200  # by the open connection
    assert "MISSING_TABLE_CERT_FILE" in log.read_text()
    assert "PRIVATE KEY" not in log.read_text()


@pytest.mark.parametrize("left_out", ["cert_file", "key_file"])
def test_a_certificate_without_its_key_is_refused_at_the_start(
    left_out: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = Authority(tmp_path, "ours").issue("server")
    files = {"cert_file": given.cert, "key_file": given.key}
    del files[left_out]
    monkeypatch.setenv("MISSING_TABLE_DATABASE_URL", "postgresql://127.0.0.1:1/none")
    monkeypatch.setenv("MISSING_TABLE_API_TOKEN", "token")
    for name, path in files.items():
        monkeypatch.setenv(f"MISSING_TABLE_{name.upper()}", str(path))
    done = subprocess.run(
        [sys.executable, "-m", "system.backend", "serve", "--port", str(free_port())],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "MISSING_TABLE_CERT_FILE and MISSING_TABLE_KEY_FILE go together" in done.stderr
