"""Arrays as PostgreSQL reads them (its manual, 8.15.6), for statements that take many rows.

psycopg writes lists, too, but asks for the type of each value, and finds its way through lists of
lists. These of plain values take a tenth of that time, which was a fifth of the store's.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any


def columns(rows: Iterable[tuple[Any, ...]]) -> list[str]:
    """Turn rows of text, numbers, dates and times into arrays, one for each column.

    A statement has to say what each of them is, as in `%s::date[]`.
    """
    return [array(column) for column in zip(*rows, strict=True)]


def array(values: Sequence[Any]) -> str:
    """Turn text, numbers, dates or times into an array: all of one kind, or None."""
    if values and values.count(values[0]) == len(values):
        return f"{{{','.join([_element(values[0])] * len(values))}}}"
    if values and None not in values:
        # At once, which takes a tenth of the time, unless something in it has to be escaped.
        text = '","'.join(map(str, values))
        if text.count('"') == 2 * (len(values) - 1) and "\\" not in text:
            return f'{{"{text}"}}'
    return f"{{{','.join(map(_element, values))}}}"


def _element(value: Any) -> str:
    if value is None:
        return "NULL"
    escaped = str(value).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
