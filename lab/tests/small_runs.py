"""Histories of a few lines, written by hand: one good message, and what a test adds to it."""

from __future__ import annotations

from lab.checker.outcomes import LOOKS
from lab.tests.histories import Record, attempted, receipt, record


def accepted(message_id: str, at_s: float = 1, *, expect: str = "effect") -> list[Record]:
    """An attempt that was confirmed."""
    return [
        attempted(message_id, at_s, "1", expect=expect),
        record("accepted", at_s, message_id=message_id, way="queue"),
    ]


def stored(message_id: str, at_s: float = 1.4, identity: str = "1", **other: object) -> Record:
    """The receipt that creates a match, or what is said of it instead."""
    usual = receipt(message_id, at_s, identity, "created", observed_s=1, cursor=f"{at_s:g}")
    return {**usual, **other}


def ran(*middle: Record, settled: Record | None = None, shared: bool = False) -> list[Record]:
    """A run that was looked at everywhere, with one good message in it, and these records."""
    return [
        record("started", 0, name="r", substrate="fake", seed=1, settings={}, shared=shared),
        *accepted("good"),
        stored("good", identity="7"),
        settled or record("settled", 8, ok=True, seconds=1, waiting=0),
        *middle,
        *(record("looked", 9, what=what, ok=True, detail="all") for what in LOOKS),
        record("ended", 9),
    ]
