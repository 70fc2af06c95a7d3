"""What is answered as done is on disk, and what is counted as done is committed.

Each test of what the backend keeps has a twin that takes the guard away and sees it fail.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from system.backend import migrations
from system.backend.database import Database
from system.backend.metrics import BackendMetrics
from system.backend.tests.messages import message
from system.backend.tests.postgres import Server, new_database, running_server
from system.backend.tests.processes import started
from system.backend.tests.serving import Client

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

WEAKENED = "system.tests.weakened"
MESSAGES = 60
LAZY = {"wal_writer_delay": "10s", "checkpoint_timeout": "1h", "autovacuum": "off"}
"""PostgreSQL writes down little by itself; without its writers nothing but what a commit waits for.
"""

_FAIL_AT_COMMIT = """
CREATE FUNCTION fail_at_commit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    {how};
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER fail_at_commit AFTER INSERT ON receipts
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION fail_at_commit();
"""
FAILURES = {
    "refused": "RAISE EXCEPTION 'not today'",
    "connection lost": "PERFORM pg_terminate_backend(pg_backend_pid()), pg_sleep(10)",
}


@pytest.mark.parametrize(
    ("default", "used"),
    [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
@pytest.mark.parametrize("whose", ["DATABASE {0}", "ROLE test IN DATABASE {0}"])
def test_a_commit_is_on_disk_whatever_the_default_of_database_or_role(
    postgres_server: Server, whose: str, default: str, used: str
) -> None:
    with new_database(postgres_server) as url:
        name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(url)["dbname"]))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL(f"ALTER {whose} SET synchronous_commit = {default}").format(name)
            )
        assert asyncio.run(_setting(url)) == used


async def _setting(url: str) -> str:
    database = Database(url, 1, BackendMetrics())
    database.open()
    try:
        return await database.run("show", _show)
    finally:
        database.close()


def _show(connection: psycopg.Connection) -> str:
    row = connection.execute("SHOW synchronous_commit").fetchone()
    assert row is not None
    return str(row[0])


def test_what_was_answered_survives_a_crash_of_the_database(tmp_path: Path) -> None:
    assert _lost_in_a_crash(tmp_path) == []


@pytest.mark.controls
def test_without_the_setting_a_crash_of_the_database_loses_what_was_answered(
    tmp_path: Path,
) -> None:
    assert _lost_in_a_crash(tmp_path, f"{WEAKENED}.hasty_commit") != []


def _lost_in_a_crash(folder: Path, wrapper: str | None = None) -> list[str]:
    """Post, kill PostgreSQL right after the last answer; return the receipts that are missing."""
    with running_server(**LAZY) as server:
        url = server.url("postgres")
        migrations.upgrade(url)
        ids = [f"m-{number}" for number in range(MESSAGES)]
        with started(url, folder / "log", wrapper=wrapper) as (client, _):
            with server.without("walwriter"), server.without("background writer"):
                with ThreadPoolExecutor(4) as pool:
                    answers = list(pool.map(lambda id_: _post(client, id_), ids))
                server.crash()
            server.start()
        assert {status for status, _ in answers} <= {200, 201}
        with psycopg.connect(url) as connection:
            found = {id_ for (id_,) in connection.execute("SELECT message_id FROM receipts")}
        return [id_ for id_ in ids if id_ not in found]


@pytest.mark.parametrize("failure", FAILURES)
def test_an_effect_whose_commit_failed_is_neither_answered_nor_counted(
    failure: str, postgres_server: Server, tmp_path: Path
) -> None:
    with new_database(postgres_server) as url:
        migrations.upgrade(url)
        with (
            started(url, tmp_path / "log") as (client, _),
            psycopg.connect(url, autocommit=True) as connection,
        ):
            connection.execute(_FAIL_AT_COMMIT.format(how=FAILURES[failure]))
            assert _post(client, "a")[0] >= 500
            assert _counted(client) == (0, 0)
            connection.execute("DROP TRIGGER fail_at_commit ON receipts")
            status, outcome = _post(client, "a")
            assert (status, outcome["effect"]) == (201, "created")  # the first had no effect
            assert _counted(client) == (1, 1)


@pytest.mark.parametrize("failure", FAILURES)
@pytest.mark.controls
def test_without_care_an_effect_is_counted_whose_commit_failed(
    failure: str, postgres_server: Server, tmp_path: Path
) -> None:
    with new_database(postgres_server) as url:
        migrations.upgrade(url)
        with (
            started(url, tmp_path / "log", wrapper=f"{WEAKENED}.early_count") as (client, _),
            psycopg.connect(url, autocommit=True) as connection,
        ):
            connection.execute(_FAIL_AT_COMMIT.format(how=FAILURES[failure]))
            assert _post(client, "a")[0] >= 500
            assert _counted(client) == (1, 1)
            assert connection.execute("SELECT count(*) FROM receipts").fetchone() == (0,)


def _counted(client: Client) -> tuple[float, float]:
    """How many effects the metrics show, and how many latencies."""
    counted = {"effects_total": 0.0, "message_latency_seconds_count": 0.0}
    for line in client.raw("GET", "/metrics").data.decode().splitlines():
        name = line.removeprefix("missing_table_").partition("{")[0]
        if name in counted:
            counted[name] += float(line.rpartition(" ")[2])
    return counted["effects_total"], counted["message_latency_seconds_count"]


def _post(client: Client, message_id: str) -> tuple[int, dict[str, str]]:
    posted = message(message_id, external_match_id=message_id)
    return client.post(posted.model_dump(mode="json"))
