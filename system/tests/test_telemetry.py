"""The lines of a log, as whoever collects them finds them."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from system import telemetry


def lines(code: str) -> list[dict[str, Any]]:
    """What a process that runs this writes, without the time."""
    begin = "import structlog; from system import telemetry; telemetry.configure('worker')\n"
    ran = subprocess.run(
        [sys.executable, "-c", f"{begin}log = structlog.get_logger('x')\n{code}"],
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert ran.stderr.isascii()
    read = [json.loads(line) for line in ran.stderr.splitlines()]
    for each in read:
        assert each.pop("timestamp").endswith("Z")
        assert each.pop("role") == "worker"
    return read


def test_an_event_is_a_line_with_its_fields() -> None:
    said = lines(
        "from datetime import date\n"
        "log.warning('seen', where='Zürich', day=date(2025, 10, 18))\n"
        "log.debug('not at this level')\n"
        "log.error('failed', exc_info=ValueError('why'))"
    )
    assert said == [
        {"event": "seen", "level": "warning", "where": "Zürich", "day": "2025-10-18"},
        {"event": "failed", "level": "error", "exception": "ValueError: why"},
    ]


def test_each_of_several_is_a_line_of_its_own() -> None:
    said = lines(
        "log.info('applied', way='queue', each=[{'id': 'a'}, {'id': 'b', 'n': 1}])\n"
        "log.info('applied', each=[])"
    )
    shared = {"way": "queue", "event": "applied", "level": "info"}
    assert said == [{"id": "a", **shared}, {"id": "b", "n": 1, **shared}]


def test_what_is_written_at_once_is_kept_apart_in_a_pipe() -> None:
    many = [f"{number:0100}" for number in range(100)]
    found = list(telemetry.pieces(many))
    assert "\n".join(found) == "\n".join(many)
    assert {len(piece) + 1 for piece in found[:-1]} == {40 * 101}


@pytest.mark.parametrize(("more", "count"), [(0, 1), (1, 2)])
def test_a_piece_is_filled_to_the_last_byte_and_no_further(more: int, count: int) -> None:
    one = "x" * 1000
    other = "y" * (telemetry.WRITE_BYTES_MAX - len(one) - 2 + more)  # each ends by a line feed
    assert len(list(telemetry.pieces([one, other]))) == count


def test_no_line_is_in_two_pieces_and_one_that_is_too_long_stays_whole() -> None:
    longest = "x" * (telemetry.WRITE_BYTES_MAX - 1)
    assert list(telemetry.pieces([longest])) == [longest]
    assert list(telemetry.pieces(["a", longest, "b"])) == ["a", longest, "b"]
    assert list(telemetry.pieces(["a", 2 * longest, "b"])) == ["a", 2 * longest, "b"]
    assert list(telemetry.pieces([])) == []
