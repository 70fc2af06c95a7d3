"""The journal has every attempt on disk before it is made."""

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from system.contract.match import Match
from system.errors import SettingsError
from system.scraper.journal import Journal
from system.scraper.messages import Messages
from system.scraper.parsing.schedule import RefusedRow, parse
from system.scraper.tests.site import page, row

NOW = datetime(2025, 11, 3, 17, tzinfo=UTC)


def matches(*rows: str) -> tuple[Match, ...]:
    return parse(page(*rows), page="p", now=NOW).matches


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


def test_each_event_is_one_line_of_its_own_form(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    published = datetime(2026, 1, 1, tzinfo=UTC)
    sent = Messages(NOW, seed=1).fresh(matches(row()), published_at=published)
    with Journal(path) as journal:
        journal.attempted(sent)
        journal.settled([(sent[0][0].message_id, "accepted", "queue", "")])
        journal.rows_refused([RefusedRow("p", 3, "no time", "text")])
        journal.repeated(2)
        journal.scraped({"pages": 1})
    events = lines(path)
    for event in events:
        assert datetime.fromisoformat(event.pop("at")).utcoffset() is not None
    assert events == [
        {
            "event": "attempted",
            "message_id": sent[0][0].message_id,
            "identity": "101201",
            "published_at": "2026-01-01T00:00:00+00:00",
            "observed_at": "2025-11-03T17:00:00+00:00",
        },
        {
            "event": "accepted",
            "message_id": sent[0][0].message_id,
            "way": "queue",
            "detail": "",
        },
        {"event": "row_refused", "page": "p", "row": 3, "reason": "no time", "excerpt": "text"},
        {"event": "repeated", "count": 2},
        {"event": "scraped", "pages": 1},
    ]


def test_attempts_of_a_page_are_synced_once_before_the_call_returns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "journal.jsonl"
    synced: list[int] = []
    real = os.fsync

    def fsync(file: int) -> None:
        real(file)
        synced.append(len(lines(path)))

    monkeypatch.setattr(os, "fsync", fsync)
    three = matches(*(row(number=f"{n}") for n in (1, 2, 3)))
    with Journal(path) as journal:
        journal.attempted(Messages(NOW).fresh(three, published_at=NOW))
        assert synced == [3]


def test_a_torn_last_line_spoils_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    path.write_text('{"event": "repeated", "count": 1}\n{"event": "rep')
    with Journal(path) as journal:
        journal.repeated(2)
    first, torn, last = path.read_text().splitlines()
    assert json.loads(first)["count"] == 1
    assert torn == '{"event": "rep'
    assert json.loads(last)["count"] == 2


def test_without_a_file_nothing_is_kept_and_a_wrong_one_is_told(tmp_path: Path) -> None:
    with Journal(None) as journal:
        journal.attempted([])
        journal.repeated(1)
    with pytest.raises(SettingsError, match="cannot be written"):
        Journal(tmp_path)
