"""Migrating: from nothing, again, both at once, and back; and the command line around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import urllib3

from system.backend import migrations
from system.backend.tests.postgres import Server, free_port, new_database
from system.errors import DatabaseUnavailable

pytestmark = pytest.mark.services


def _command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MISSING_")}
    return subprocess.run(
        [sys.executable, "-m", "system.backend", *arguments],
        env=kept | {f"MISSING_TABLE_{name}": value for name, value in variables.items()},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_two_may_migrate_at_once_for_the_second_waits_and_finds_the_work_done(
    postgres_server: Server,
) -> None:
    with new_database(postgres_server) as url, psycopg.connect(url) as first:
        first.execute("SELECT pg_advisory_xact_lock(%s)", [0x6D617463686573])
        with ThreadPoolExecutor(1) as pool:
            second = pool.submit(migrations.upgrade, url)
            waiting = "SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            deadline = time.monotonic() + 20
            while not first.execute(waiting).fetchall():
                assert time.monotonic() < deadline, "the second did not wait for the lock"
                time.sleep(0.05)
            first.commit()
            second.result(timeout=20)
        migrations.upgrade(url)
        rows = first.execute("SELECT version_num FROM alembic_version").fetchall()
        assert rows == [(migrations.head(),)]


def test_a_database_that_is_away_is_told_with_what_to_do() -> None:
    with pytest.raises(DatabaseUnavailable, match="Is PostgreSQL running"):
        migrations.upgrade(f"postgresql://test@127.0.0.1:{free_port()}/test")


def test_the_command_migrates_and_says_so(postgres_server: Server) -> None:
    with new_database(postgres_server) as url:
        done = _command("migrate", DATABASE_URL=url, API_TOKEN="t")
        assert (done.returncode, done.stdout) == (
            0,
            f"the database is at revision {migrations.head()}\n",
        )


def test_the_command_fails_clearly_without_a_database() -> None:
    url = f"postgresql://test@127.0.0.1:{free_port()}/test"
    done = _command("migrate", DATABASE_URL=url, API_TOKEN="t")
    assert done.returncode == 1
    assert "MISSING_TABLE_DATABASE_URL" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("command", ["serve", "migrate"])
def test_the_command_names_every_setting_that_is_missing(command: str) -> None:
    done = _command(command)
    assert done.returncode == 2
    assert "MISSING_TABLE_DATABASE_URL is not set" in done.stderr
    assert "MISSING_TABLE_API_TOKEN is not set" in done.stderr


def test_the_command_serves_until_it_is_told_to_stop(database_url: str) -> None:
    port = free_port()
    environment = os.environ | {
        "MISSING_TABLE_DATABASE_URL": database_url,
        "MISSING_TABLE_API_TOKEN": "t",
    }
    process = subprocess.Popen(
        [sys.executable, "-m", "system.backend", "serve", "--port", str(port)],
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        pool = urllib3.PoolManager(retries=False, timeout=5)
        deadline = time.monotonic() + 20
        while True:
            try:
                answer = pool.request("GET", f"http://127.0.0.1:{port}/readyz")
            except urllib3.exceptions.HTTPError:
                assert time.monotonic() < deadline, "the backend did not come up"
                time.sleep(0.05)
            else:
                break
        assert answer.status == 200
        pool.clear()
        process.send_signal(signal.SIGTERM)
        # It finishes what it does, then ends as the signal asks.
        assert process.wait(15) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()
