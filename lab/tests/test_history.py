"""The record of a run: nothing is half written, nothing broken is read as if it were whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.history import log
from lab.history.log import LINE_BYTES_MAX, TORN, History, HistoryError
from lab.tests.histories import lines, sane


def test_what_was_written_is_read_in_the_same_order(tmp_path: Path) -> None:
    with History(tmp_path / "h") as record:
        for number in range(50):
            record.write("depth", queue="matches.process", ready=number)
        record.write("ended", durable=True)
    events = list(log.read(tmp_path / "h"))
    assert [event.fields["ready"] for event in events[:-1]] == list(range(50))
    assert [event.line for event in events] == list(range(1, 52))
    assert events[-1].event == "ended"
    assert abs((datetime.now(UTC) - events[-1].at).total_seconds()) < 60


def test_times_are_written_in_utc_and_text_keeps_every_character(tmp_path: Path) -> None:
    moment = datetime.fromisoformat("2025-10-18T10:00:00-04:00")
    with History(tmp_path / "h") as record:
        record.write(
            "looked",
            at=moment,
            what="truth",
            ok=True,
            detail="Ñandú\n\x00 ✓ \ud800",
            seen_at=moment,
        )
    (event,) = log.read(tmp_path / "h")
    assert event.at == moment
    assert event.time("seen_at") == moment
    assert event.fields["seen_at"].endswith("+00:00")
    assert event.text("detail") == "Ñandú\n\x00 ✓ ?"  # half a surrogate pair has no UTF-8


def test_threads_share_a_history_without_mixing_their_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even where the system takes a line in pieces, as it may."""
    real = os.write
    monkeypatch.setattr(os, "write", lambda file, data: real(file, data[:200]))
    with History(tmp_path / "h") as record:

        def write(name: str) -> None:
            for number in range(100):
                record.write("accepted", message_id=f"{name}-{number}", way=name * 500)

        threads = [threading.Thread(target=write, args=(name,)) for name in "abcd"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    seen = [event.text("message_id") for event in log.read(tmp_path / "h")]
    assert len(seen) == len(set(seen)) == 400
    for name in "abcd":
        assert [m for m in seen if m[0] == name] == [f"{name}-{n}" for n in range(100)]


def test_what_was_written_survives_the_sudden_death_of_the_writer(tmp_path: Path) -> None:
    program = (
        "import os, signal, sys, pathlib\n"
        "from lab.history.log import History\n"
        "record = History(pathlib.Path(sys.argv[1]))\n"
        "for number in range(100):\n"
        "    record.write('depth', queue='q', ready=number)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    died = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "h")], check=False, timeout=120
    )
    assert died.returncode == -signal.SIGKILL
    assert len(list(log.read(tmp_path / "h"))) == 100


@pytest.mark.parametrize("cut", [1, 5, 40])
def test_a_last_line_that_a_crash_cut_off_is_told(tmp_path: Path, cut: int) -> None:
    whole = lines(sane(1))
    (tmp_path / "h").write_bytes(whole[:-cut])
    *before, last = log.read(tmp_path / "h")
    assert last.event == TORN
    assert last.line == len(before) + 1 == whole.count(b"\n")


def test_a_torn_history_is_not_continued(tmp_path: Path) -> None:
    (tmp_path / "h").write_bytes(lines(sane(1))[:-3])
    with pytest.raises(HistoryError, match="torn line"):
        History(tmp_path / "h")


def test_a_whole_history_is_continued(tmp_path: Path) -> None:
    for _ in range(2):
        with History(tmp_path / "h") as record:
            record.write("ended")
    assert len(list(log.read(tmp_path / "h"))) == 2


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b'{"at": "2025-10-18T10:00:00+00:00", "event"\n', "no event"),
        (b"\xff\xfe\n", "no event"),
        (b"[]\n", "not an object"),
        (b'{"event": "ended"}\n', "lacks its time"),
        (b'{"at": "2025-10-18T10:00:00", "event": "ended"}\n', "lacks its time"),
        (b'{"at": "0001-01-01T00:00:00+23:59", "event": "ended"}\n', "lacks its time"),
        (b'{"at": "2025-10-18T10:00:00Z", "event": 3}\n', "lacks its time or its name"),
        (b'{"at": "2025-10-18T10:00:00Z", "event": "depth", "ready": NaN}\n', "NaN"),
        (b"[" * 200_000 + b"\n", "no event"),
        (b"x" * (LINE_BYTES_MAX + 1) + b"\n", "longer than"),
    ],
)
def test_a_broken_line_in_the_middle_is_an_error_that_names_it(
    tmp_path: Path, broken: bytes, why: str
) -> None:
    first, *rest = lines(sane(1)).splitlines(keepends=True)
    (tmp_path / "h").write_bytes(first + broken + b"".join(rest))
    with pytest.raises(HistoryError, match=f"line 2: .*{why}"):
        list(log.read(tmp_path / "h"))


def test_reading_a_file_that_is_not_there_says_which(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="nowhere"):
        list(log.read(tmp_path / "nowhere"))


@pytest.mark.parametrize(
    ("event", "fields", "why"),
    [
        ("acepted", {"message_id": "m", "way": "queue"}, "no event is called 'acepted'"),
        (TORN, {}, "no event is called"),
        ("accepted", {"message_id": "m"}, "lacks way"),
        ("depth", {"queue": "q", "ready": float("nan")}, "no JSON"),
        ("depth", {"queue": "q", "ready": {1, 2}}, "no JSON"),
        ("ended", {"seen_at": datetime(2025, 10, 18)}, "no JSON"),  # noqa: DTZ001
        ("refused", {"message_id": "m", "way": "q", "detail": "x" * LINE_BYTES_MAX}, "over"),
    ],
)
def test_what_cannot_be_recorded_is_refused_and_leaves_no_trace(
    tmp_path: Path, event: str, fields: dict[str, object], why: str
) -> None:
    with History(tmp_path / "h") as record, pytest.raises(HistoryError, match=why):
        record.write(event, **fields)  # type: ignore[arg-type]
    assert (tmp_path / "h").read_bytes() == b""


def test_after_a_failed_write_nothing_more_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk takes half a line; a whole one behind it would hide the tear."""
    real = os.write
    space = [100]

    def write(file: int, data: memoryview) -> int:
        if not space[0]:
            raise OSError(28, "No space left on device")
        taken = real(file, data[: space[0]])
        space[0] -= taken
        return taken

    record = History(tmp_path / "h")
    monkeypatch.setattr(os, "write", write)
    record.write("ended")
    with pytest.raises(HistoryError, match="No space left"):
        record.write("depth", queue="q", ready=1)
    space[0] = 1000
    with pytest.raises(HistoryError, match="earlier write failed"):
        record.write("ended")
    record.close()
    assert [event.event for event in log.read(tmp_path / "h")] == ["ended", TORN]


def test_a_closed_history_takes_nothing_and_may_be_closed_again(tmp_path: Path) -> None:
    record = History(tmp_path / "h")
    record.close()
    record.close()
    with pytest.raises(HistoryError, match="closed"):
        record.write("ended")


def test_a_field_of_the_wrong_kind_is_named_with_its_line(tmp_path: Path) -> None:
    line = {"at": "2025-10-18T10:00:00Z", "event": "depth", "ready": True, "queue": 7, "since": "x"}
    (tmp_path / "h").write_text(json.dumps(line) + "\n")
    (event,) = log.read(tmp_path / "h")
    for ask in (
        lambda: event.number("ready"),
        lambda: event.text("queue"),
        lambda: event.truth("queue"),
        lambda: event.time("since"),
        lambda: event.text("missing"),
    ):
        with pytest.raises(HistoryError, match=r"line 1: .* of event 'depth' must be"):
            ask()
    assert event.time_or_none("missing") is None
