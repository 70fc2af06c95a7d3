"""Migrating: from nothing, again, and both at once; and the command line around it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime

import psycopg
import pytest
import urllib3

from system.backend import migrations, store
from system.backend.tests.messages import message
from system.backend.tests.postgres import Server, new_database
from system.errors import DatabaseUnavailable
from system.tests.ports import free_port

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

_OLD_TEAMS = """
INSERT INTO teams (name, age_group, league, division) VALUES
    ('NEFC', 'U14', 'Homegrown', 'Northeast'), ('Bayside FC', 'U14', 'Homegrown', 'Northeast'),
    ('NEFC', 'U14', 'Homegrown', 'Florida'), ('IFA HG', 'U14', 'Homegrown', 'Northeast'),
    ('IFA', 'U15', NULL, NULL), ('IFA HG', 'U15', NULL, NULL)
"""
_OLD_MATCHES = """
INSERT INTO matches (identity, external_match_id, home_team_id, away_team_id, match_date, season,
    age_group, league, division, match_type, status, home_score, away_score, observed_at,
    message_id, created_by, changed_by, created_at, updated_at)
SELECT v.identity, v.number, h.id, a.id, v.day, '2025-26', h.age_group, h.league, h.division,
    'League', 'scheduled', 0, 0, now(), 'm', 'm', 'm', now(), now()
FROM (VALUES ('101201', '101201', 1, 2, date '2025-10-18'), ('~a', NULL, 4, 3, date '2025-10-19'),
    ('~b', NULL, 2, 1, date '2025-10-18'), ('~c', NULL, 5, 6, date '2025-10-18'),
    ('U14_Northeast_3_20251001', 'U14_Northeast_3_20251001', 1, 2, date '2025-10-18'),
    ('8', '8', 1, 2, date '2025-10-18')) AS v (identity, number, home, away, day)
JOIN teams h ON h.id = v.home JOIN teams a ON a.id = v.away ORDER BY v.identity COLLATE "C"
"""


def _command(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MISSING_")}
    return subprocess.run(
        [sys.executable, "-m", "system.backend", *arguments],
        env=kept | {f"MISSING_TABLE_{name}": value for name, value in variables.items()},
        capture_output=True,
        text=True,
        timeout=120,
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
            deadline = time.monotonic() + 60
            while not first.execute(waiting).fetchall():
                assert time.monotonic() < deadline, "the second did not wait for the lock"
                time.sleep(0.05)
            first.commit()
            second.result(timeout=60)
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
        pool = urllib3.PoolManager(retries=False, timeout=30)
        deadline = time.monotonic() + 60
        status = 0
        while status != 200:
            assert time.monotonic() < deadline, f"the backend did not come up: {status}"
            time.sleep(0.05)
            with suppress(urllib3.exceptions.HTTPError):
                status = pool.request("GET", f"http://127.0.0.1:{port}/readyz").status
        pool.clear()
        process.send_signal(signal.SIGTERM)
        # It finishes what it does, then ends as the signal asks.
        assert process.wait(60) == -signal.SIGTERM
    finally:
        process.kill()
        process.wait()


def test_matches_stored_before_keep_their_teams_and_are_found_by_their_keys(
    postgres_server: Server,
) -> None:
    """From the schema in which a team belonged to a division, and every key was a match."""
    with new_database(postgres_server) as url, psycopg.connect(url, autocommit=True) as connection:
        migrations.upgrade(url, to="0001")
        connection.execute(_OLD_TEAMS)
        connection.execute(_OLD_MATCHES)
        migrations.upgrade(url)
        rows = connection.execute(
            "SELECT i.identity, h.name, a.name, m.home_score FROM matches m"
            " JOIN identities i ON i.match_id = m.id JOIN teams h ON h.id = m.home_team_id"
            " JOIN teams a ON a.id = m.away_team_id ORDER BY 1"
        ).fetchall()
        made_up = "U14_Northeast_3_20251001"
        assert rows == [
            ("101201", "NEFC", "Bayside FC", None),
            ("8", "NEFC", "Bayside FC", None),
            (made_up, "NEFC", "Bayside FC", None),
            ("~a", "IFA", "NEFC", None),
            ("~b", "Bayside FC", "NEFC", None),
            ("~c", "IFA", "IFA HG", None),
        ]
        pairs = connection.execute(
            "SELECT m.identity, o.identity, m.external_match_id FROM possible_duplicates d"
            " JOIN matches m ON m.id = d.match_id JOIN matches o ON o.id = d.other_id ORDER BY 1"
        ).fetchall()
        assert pairs == [(made_up, "101201", None), ("~b", "101201", None)]
        again = message("n", match_date="2025-10-19", home_team="IFA", away_team="NEFC")
        later = {"observed_at": datetime.now(UTC).isoformat(), "external_match_id": "7"}
        again = again.model_copy(update={"match": again.match | later})
        (outcome,) = store.submit(connection, [again], received_at=datetime.now(UTC))
        assert (outcome.effect, outcome.match_id) == ("updated", 4)
