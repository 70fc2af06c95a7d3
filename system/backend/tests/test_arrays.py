"""What goes to PostgreSQL as an array comes back from it as the same values."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from typing import Any, LiteralString

import psycopg
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from system.backend import arrays

_NO_NUL = st.characters(exclude_characters="\x00", exclude_categories=["Cs"])
_TEXTS = st.one_of(
    st.text(_NO_NUL, max_size=20),
    st.sampled_from(
        ["", "NULL", "null", '"', "\\", '","', "a,b", "{}", "{", " ", '\\"', "\n", "'"]
    ),
)


def _back(connection: psycopg.Connection, kind: LiteralString, values: Sequence[Any]) -> list[Any]:
    row = connection.execute(f"SELECT %s::{kind}[]", [arrays.array(values)]).fetchone()
    assert row is not None
    found: list[Any] = row[0]
    return found


@given(values=st.lists(st.one_of(st.none(), _TEXTS), max_size=8))
@example(values=["a", '"'])
@example(values=['a","b', "c"])
@example(values=["a\\", "b"])
@example(values=[None, None])
@example(values=['"', '"'])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_text_comes_back(connection: psycopg.Connection, values: list[str | None]) -> None:
    assert _back(connection, "text", values) == values


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", [1, -2, 0]),
        ("smallint", [7, None, 7]),
        ("boolean", [True, False, True]),
        ("date", [date(2025, 10, 18), date(1, 1, 1), date(9999, 12, 31)]),
        ("time", [time(15, 45), None, time(0, 0, 59)]),
        (
            "timestamptz",
            [datetime(2025, 10, 18, 15, 45, 1, 2, UTC), datetime(2024, 2, 29, tzinfo=UTC)],
        ),
        ("timestamptz", [datetime(2025, 10, 18, tzinfo=UTC)] * 3),
    ],
)
def test_what_is_no_text_comes_back(
    connection: psycopg.Connection, kind: LiteralString, values: list[Any]
) -> None:
    assert _back(connection, kind, values) == values


def test_rows_become_an_array_for_each_column() -> None:
    rows = [("a", 1, None), ('b"', 2, None)]
    assert arrays.columns(rows) == ['{"a","b\\""}', '{"1","2"}', "{NULL,NULL}"]
    assert arrays.columns([]) == []
