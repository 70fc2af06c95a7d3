"""The spool holds what it said it holds: through kills, two writers, its bound and bad files."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from system.contract.envelope import Envelope, wrap_arguments
from system.errors import OutboxFull, SettingsError, Unavailable
from system.scraper.outbox import BUSY_S, Outbox


def envelope(name: str, payload: object = "x") -> Envelope:
    match = {"home_team": payload}
    return wrap_arguments([match], {}, message_id=name, published_at=datetime.now(UTC))


@pytest.fixture
def outbox(tmp_path: Path) -> Iterator[Outbox]:
    with Outbox(tmp_path / "outbox.sqlite") as spool:
        yield spool


def ids(outbox: Outbox, count: int = 1000) -> list[str]:
    return [each.message_id for each in outbox.head(count)]


def test_what_is_put_comes_out_equal_and_in_order(outbox: Outbox) -> None:
    first, second = envelope("b", "Fútbol\u0000"), envelope("a").for_attempt(3)
    second = replace(second, content_type="text/plain", content_encoding="us-ascii")
    outbox.put([first, second])
    assert outbox.head(10) == [first, second]
    assert outbox.head(1) == [first]
    assert len(outbox) == 2


def test_the_same_message_twice_is_kept_once_as_it_came_first(outbox: Outbox) -> None:
    outbox.put([envelope("a", "first"), envelope("a", "second")])
    outbox.put([envelope("a", "third"), envelope("b")])
    assert ids(outbox) == ["a", "b"]
    assert outbox.head(1)[0].arguments == [{"home_team": "first"}]


def test_what_is_discarded_is_gone_and_the_order_of_the_rest_stays(outbox: Outbox) -> None:
    outbox.put([envelope(name) for name in "abcd"])
    outbox.discard(["a", "c", "never here"])
    outbox.put([envelope("a")])
    assert ids(outbox) == ["b", "d", "a"]


def test_a_full_outbox_keeps_nothing_of_what_does_not_fit_and_says_what_to_do(
    tmp_path: Path,
) -> None:
    with Outbox(tmp_path / "outbox.sqlite", limit=3) as outbox:
        outbox.put([envelope("a"), envelope("b")])
        with pytest.raises(OutboxFull, match=r"may hold 3 messages and would hold 4.*drain"):
            outbox.put([envelope("c"), envelope("d")])
        assert ids(outbox) == ["a", "b"]
        outbox.put([envelope("a"), envelope("c")])  # one of them is in there already
        assert ids(outbox) == ["a", "b", "c"]


def test_what_was_refused_is_kept_aside_with_its_reason_until_it_is_put_back(
    outbox: Outbox,
) -> None:
    outbox.put([envelope(name) for name in "abc"])
    outbox.refuse({"a": "score is negative", "c": "no such league", "never here": "?"})
    assert (ids(outbox), len(outbox)) == (["b"], 1)
    assert [(each.message_id, why) for each, why in outbox.refused()] == [
        ("a", "score is negative"),
        ("c", "no such league"),
    ]
    outbox.put([envelope("a", "again")])  # the page shows it once more
    assert ids(outbox) == ["b"]
    assert outbox.retry_refused() == 2
    assert ids(outbox) == ["a", "b", "c"]
    assert outbox.refused() == []


def test_what_is_kept_aside_takes_room_and_the_bound_says_so(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite", limit=3) as outbox:
        outbox.put([envelope("a"), envelope("b")])
        outbox.refuse({"a": "x" * 10_000, "b": "why"})
        with pytest.raises(OutboxFull, match=r"would hold 4, 2 of them refused.*refused`"):
            outbox.put([envelope("c"), envelope("d")])
        assert len(outbox.refused()[0][1]) == 2000


def test_an_outbox_of_the_version_before_is_taken_over_with_all_that_waits(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path) as outbox:
        outbox.put([envelope("a")])
    with sqlite3.connect(path) as database:
        database.execute("ALTER TABLE outbox DROP COLUMN refused")
        database.execute(f"PRAGMA application_id = {0x4D544F31}")
    database.close()
    for _ in range(2):
        with Outbox(path) as outbox:
            assert ids(outbox) == ["a"]
            assert outbox.refused() == []


def test_what_is_put_survives_closing_and_closing_twice_is_harmless(tmp_path: Path) -> None:
    with Outbox(tmp_path / "outbox.sqlite") as outbox:
        outbox.put([envelope("a")])
    outbox.close()
    with Outbox(tmp_path / "outbox.sqlite") as again:
        assert ids(again) == ["a"]


def test_every_commit_goes_to_the_disk(outbox: Outbox) -> None:
    (synchronous,) = outbox._database.execute("PRAGMA synchronous").fetchone()
    (journal,) = outbox._database.execute("PRAGMA journal_mode").fetchone()
    assert (synchronous, journal) == (2, "wal")  # 2 is FULL


def test_a_file_that_is_no_outbox_is_refused_and_left_alone(tmp_path: Path) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("shopping list " * 100)
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE theirs (x)")
    database.close()
    for path in (text, other, tmp_path, tmp_path / "no folder" / "outbox.sqlite"):
        with pytest.raises(SettingsError, match="MISSING_TABLE_OUTBOX"):
            Outbox(path)
    assert text.read_text().startswith("shopping list")


def test_who_may_not_create_an_outbox_opens_one_that_is_there(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path) as outbox:
        outbox.put([envelope("a")])
    with Outbox(path, create=False) as again:
        assert ids(again) == ["a"]
        again.discard(["a"])
        assert len(again) == 0


def test_a_path_that_is_wrong_is_no_empty_outbox_to_who_may_not_create_one(tmp_path: Path) -> None:
    missing, empty = tmp_path / "missing.sqlite", tmp_path / "empty.sqlite"
    empty.touch()
    for path, why in (missing, "there is no such file"), (empty, "this file is no outbox"):
        with pytest.raises(SettingsError, match=f"outbox {path}: {why}.*MISSING_TABLE_OUTBOX"):
            Outbox(path, create=False)
    assert list(tmp_path.iterdir()) == [empty]
    assert empty.read_bytes() == b""


def test_nor_is_one_made_in_place_of_a_file_that_vanishes_while_it_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outbox.sqlite"
    monkeypatch.setattr(Path, "exists", lambda _: True)
    with pytest.raises(SettingsError, match=r"cannot be opened \(unable to open database file\)"):
        Outbox(path, create=False)
    assert not list(tmp_path.iterdir())


def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with Outbox(path) as outbox:
        outbox.put([envelope("a")])
        outbox._database.execute("PRAGMA max_page_count = 8")  # the file may grow no further
        with pytest.raises(OutboxFull, match=f"outbox {path}: the disk is full; nothing was kept"):
            outbox.put([envelope("b"), envelope("c", "x" * 100_000)])
        assert ids(outbox) == ["a"]


def test_one_that_is_closed_is_unavailable(outbox: Outbox) -> None:
    outbox.close()
    with pytest.raises(Unavailable, match="closed database"):
        outbox.put([envelope("a")])


def test_who_finds_the_file_in_use_waits_as_long_as_there_is_patience(outbox: Outbox) -> None:
    (patience_ms,) = outbox._database.execute("PRAGMA busy_timeout").fetchone()
    assert patience_ms == 1000 * BUSY_S


def test_a_file_that_fails_later_is_unavailable(outbox: Outbox) -> None:
    outbox._database.execute("DROP TABLE outbox")
    for use in (lambda: outbox.put([envelope("a")]), lambda: outbox.head(1), lambda: len(outbox)):
        with pytest.raises(Unavailable, match="no such table"):
            use()


WRITER = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from system.contract.envelope import wrap_arguments
from system.scraper.outbox import Outbox

path, name, count = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with Outbox(path) as outbox:
    for n in range(count):
        message_id = f"{name}-{n}"
        now = datetime.now(UTC)
        outbox.put([wrap_arguments([{}], {}, message_id=message_id, published_at=now)])
        print(message_id, flush=True)
"""


def writer(path: Path, name: str, count: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", WRITER, str(path), name, str(count)],
        stdout=subprocess.PIPE,
        text=True,
    )


@pytest.mark.parametrize("after", [1, 7, 40])
def test_what_put_returned_is_there_after_a_kill(tmp_path: Path, after: int) -> None:
    path = tmp_path / "outbox.sqlite"
    with writer(path, "w", 1_000_000) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(after)]
        os.kill(process.pid, signal.SIGKILL)
        told += [line.strip() for line in process.stdout if line.endswith("\n")]
    with Outbox(path) as outbox:
        kept = ids(outbox, 10_000_000)
    assert kept[: len(told)] == told
    assert len(kept) - len(told) <= 1  # one may be in that was not told yet


def test_two_writers_at_once_lose_nothing_and_keep_their_own_order(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with writer(path, "a", 150) as one, writer(path, "b", 150) as two:
        told = [(process.communicate(timeout=150)[0]).split() for process in (one, two)]
    assert (one.returncode, two.returncode) == (0, 0)
    with Outbox(path) as outbox:
        kept = ids(outbox)
    assert len(kept) == 300
    for name, lines in zip("ab", told, strict=True):
        assert [each for each in kept if each.startswith(name)] == lines


@contextmanager
def half_made(path: Path) -> Iterator[sqlite3.Connection]:
    """A new file that another process is just making an outbox of: it holds SQLite's write lock."""
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield other


def test_who_opens_a_new_outbox_waits_for_another_who_does(tmp_path: Path) -> None:
    path = tmp_path / "outbox.sqlite"
    with half_made(path) as other, ThreadPoolExecutor(1) as beside:
        opening = beside.submit(Outbox, path)
        with pytest.raises(TimeoutError):
            opening.result(timeout=0.2)
        other.execute("ROLLBACK")
        with opening.result(timeout=60) as outbox:
            outbox.put([envelope("a")])
            assert ids(outbox) == ["a"]


def test_who_opens_a_new_outbox_does_not_wait_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("system.scraper.outbox.BUSY_S", 0.2)
    path = tmp_path / "outbox.sqlite"
    with half_made(path), pytest.raises(SettingsError, match="database is locked"):
        Outbox(path)
