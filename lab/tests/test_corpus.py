"""The corpus of schedules: each can be read, says why it is there, and is small in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CannotRun
from lab.faults.schedule import write
from lab.hunts import corpus

SMALL_S = 15.0


def test_each_line_is_a_schedule_with_its_reason() -> None:
    found = corpus.entries()

    assert len(found) >= 10
    assert len({write(each.schedule) for each in found}) == len(found)
    assert all(each.why.endswith(".") for each in found)


def test_each_takes_little_time() -> None:
    for each in corpus.entries():
        assert max(planned.end_s for planned in each.schedule) <= SMALL_S


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("worker-killed@1s+1s", "line 2: it does not say why"),
        ("earthquake@1s+1s  # It shakes.", "line 2: there is no fault 'earthquake'"),
    ],
)
def test_a_line_that_cannot_be_used_is_named(line: str, words: str, tmp_path: Path) -> None:
    file = tmp_path / "corpus.txt"
    file.write_text(f"# What follows is wrong.\n{line}\n")

    with pytest.raises(CannotRun, match=words):
        corpus.entries(file)
