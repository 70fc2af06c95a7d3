"""The comparison gives no number to a worker that lost a row, or wrote one twice."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from load.bench.compare import wire
from load.bench.compare.library import Library
from load.bench.compare.pipeline import Pipeline
from load.bench.compare.turn import Turn, opened, take

QUEUE = "bench-faulty"
MESSAGES = 200
pytestmark = [
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.load,
    pytest.mark.timeout(600),
]


def _turn(how: str, folder: Path, within_s: float = 60.0) -> Turn:
    command = ("load.bench.tests.faulty_worker", QUEUE, how)
    return take(Library(how, command, QUEUE, wire.as_json), MESSAGES, folder, within_s=within_s)


def test_a_worker_that_does_its_work_gets_a_number(tmp_path: Path) -> None:
    turn = _turn("honest", tmp_path)
    assert turn.complaints == []
    assert turn.per_s == pytest.approx(MESSAGES / (turn.seconds or 0), rel=0.01)
    assert turn.cpu_us["worker"] > 0
    assert turn.cpu_us["database"] > 0


@pytest.mark.parametrize(
    ("how", "complaint", "within_s"),
    [
        ("hasty", "messages have no receipt", 10.0),
        ("swaps", "1 receipts are of no message that was sent", 60.0),
        ("doubles", "1 messages have several receipts", 60.0),
        ("never-acks", "400 messages were not acknowledged", 60.0),
        ("stale", "1 matches are not their newest observation", 60.0),
    ],
)
def test_a_worker_that_does_not_gets_none(
    tmp_path: Path, how: str, complaint: str, within_s: float
) -> None:
    turn = _turn(how, tmp_path, within_s)
    assert turn.per_s is None
    assert any(complaint in each for each in turn.complaints), turn.complaints


@pytest.mark.parametrize("sink", ["api", "database"])
def test_the_pipeline_gets_a_number_with_the_lab_s_verdict_only(tmp_path: Path, sink: str) -> None:
    turn = take(Pipeline(sink), MESSAGES, tmp_path)
    assert turn.complaints == []
    assert turn.per_s is not None


def test_the_pipeline_gets_none_if_a_row_is_deleted(tmp_path: Path) -> None:
    """The lab's verdict is on what is in the store in the end."""
    with opened(Pipeline("database"), tmp_path) as up:
        up.warm_up()
        with psycopg.connect(up.database_url) as connection:
            connection.execute(
                "DELETE FROM receipts WHERE message_id = (SELECT min(message_id) FROM receipts)"
            )
        (complaint,) = up.side.complaints()
    assert "invalid" in complaint
