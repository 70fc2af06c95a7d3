"""Fixtures of the backend's tests."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from system.backend.tests.postgres import database_url, postgres_server
from system.backend.tests.serving import Client, serving

__all__ = ["api", "backend", "clean", "connection", "database_url", "postgres_server"]


@pytest.fixture
def clean(database_url: str) -> str:
    """The address of the session's database, emptied."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("TRUNCATE receipts, matches, teams RESTART IDENTITY CASCADE")
    return database_url


@pytest.fixture
def connection(clean: str) -> Iterator[psycopg.Connection]:
    """A connection to the emptied database, as the backend and the worker open theirs."""
    with psycopg.connect(clean, autocommit=True) as connection:
        connection.execute("SET TimeZone TO 'UTC'")
        yield connection


@pytest.fixture(scope="session")
def backend(database_url: str) -> Iterator[Client]:
    """A backend that serves on the session's database."""
    with serving(database_url) as client:
        yield client


@pytest.fixture
def api(backend: Client, clean: str) -> Client:
    """The session's backend on an emptied database."""
    return backend
