"""The worker's way to the database without the API keeps the API's promise."""

from __future__ import annotations

import psycopg
import pytest
from psycopg import sql

from system.backend import migrations
from system.backend.tests.messages import message
from system.backend.tests.postgres import Server, new_database, postgres_server
from system.contract.submission import Effect
from system.worker.database_sink import DatabaseSink

__all__ = ["postgres_server"]

pytestmark = pytest.mark.services


def test_its_commits_are_on_disk_whatever_the_default_of_the_database(
    postgres_server: Server,
) -> None:
    with new_database(postgres_server) as url:
        migrations.upgrade(url)
        name = sql.Identifier(str(psycopg.conninfo.conninfo_to_dict(url)["dbname"]))
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(
                sql.SQL("ALTER DATABASE {} SET synchronous_commit = off").format(name)
            )
        sink = DatabaseSink(url)
        assert [each.effect for each in sink.apply([message("a")])] == [Effect.CREATED]
        used = sink._connected()
        assert used.execute("SHOW synchronous_commit").fetchone() == ("on",)
        used.close()
