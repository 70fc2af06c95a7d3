"""A run notes down, delivers, and says what came of it."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from system.contract.envelope import Envelope
from system.errors import OutboxFull, Unavailable
from system.scraper.gaps import Gap, Remark
from system.scraper.journal import Journal
from system.scraper.messages import Messages
from system.scraper.parsing.schedule import Schedule, parse
from system.scraper.run import run
from system.scraper.summary import Summary
from system.scraper.tests.site import page, row

NOW = datetime(2025, 11, 3, 17, tzinfo=UTC)


class Result(NamedTuple):
    """What became of one envelope."""

    message_id: str
    outcome: str
    way: str
    detail: str = ""


class Scripted:
    """Delivers as told, one outcome for each envelope, and looks into the journal first."""

    def __init__(self, journal: Path, *outcomes: str | Exception) -> None:
        self.journal = journal
        self.outcomes = list(outcomes)

    def deliver(self, envelopes: Sequence[Envelope]) -> list[Result]:
        """Answer for each, once its attempt is in the journal."""
        noted = {e["message_id"] for e in events(self.journal) if e["event"] == "attempted"}
        assert {each.message_id for each in envelopes} <= noted
        results = []
        for each in envelopes:
            outcome = self.outcomes.pop(0) if self.outcomes else "accepted"
            if isinstance(outcome, Exception):
                raise outcome
            results.append(Result(each.message_id, outcome, "queue"))
        return results


def events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def abbreviate(*rows: str) -> Schedule:
    return parse(page(*rows), page="p", now=NOW)


def ran(tmp_path: Path, pages: list[Schedule | Remark], *outcomes: str | Exception) -> Summary:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        return run(
            pages, messages=Messages(NOW), journal=journal, delivery=Scripted(path, *outcomes)
        )


A, B, BAD = row(number="1"), row(number="2"), row(score="soon")


def test_every_row_is_accounted_for(tmp_path: Path) -> None:
    summary = ran(tmp_path, [abbreviate(A, A, BAD), abbreviate(A, B, BAD)])
    assert summary.counts() == {
        "pages": 2,
        "rows": 6,
        "read": 4,
        "repeated": 3,
        "refused": 1,
        "accepted": 2,
    }
    assert summary.exit_code == 1
    told = [event["event"] for event in events(tmp_path / "journal.jsonl")]
    assert told == [
        *("row_refused", "repeated", "attempted", "accepted"),
        *("repeated", "attempted", "accepted", "scraped"),
    ]


@pytest.mark.parametrize(
    ("pages", "outcomes", "code"),
    [
        ([abbreviate(A)], [], 0),
        ([abbreviate()], [], 0),
        ([abbreviate(A), Remark("q", "circle")], [], 0),
        ([abbreviate(A), Remark("q", "gone", Gap.UNREACHABLE)], [], 4),
        ([abbreviate(A, BAD), Remark("q", "gone", Gap.UNREACHABLE)], [], 4),
        ([abbreviate(A, BAD)], [], 1),
        ([], [], 2),
        ([Remark("q", "gone", Gap.UNREACHABLE)], [], 2),
        ([abbreviate(A, B)], ["accepted", "refused"], 3),
        ([abbreviate(A, BAD)], ["unknown"], 3),
        ([abbreviate(A), Remark("q", "gone", Gap.UNREACHABLE)], ["unknown"], 3),
        ([abbreviate(A)], [OutboxFull("full")], 3),
    ],
)
def test_the_exit_code_says_what_a_run_came_to(
    tmp_path: Path, pages: list[Schedule | Remark], outcomes: list[str | Exception], code: int
) -> None:
    summary = ran(tmp_path, pages, *outcomes)
    assert summary.exit_code == code
    assert summary.as_dict()["exit_code"] == code


@pytest.mark.parametrize(
    ("error", "outcome"), [(OutboxFull("full"), "refused"), (Unavailable("disk"), "unknown")]
)
def test_an_outbox_that_fails_stops_neither_the_run_nor_the_accounts(
    tmp_path: Path, error: Exception, outcome: str
) -> None:
    summary = ran(tmp_path, [abbreviate(A), abbreviate(B)], error)
    assert summary.accepted.total() == 1
    assert summary.denied.total() == 1
    results = [e for e in events(tmp_path / "journal.jsonl") if e["event"] in ("accepted", outcome)]
    assert [result["event"] for result in results] == [outcome, "accepted"]
    assert results[0]["detail"] == str(error)


def test_a_dry_run_attempts_nothing(tmp_path: Path) -> None:
    path = tmp_path / "journal.jsonl"
    with Journal(path) as journal:
        summary = run([abbreviate(A, BAD)], messages=Messages(NOW), journal=journal, delivery=None)
    assert (summary.fresh, summary.accepted.total()) == (1, 0)
    assert [event["event"] for event in events(path)] == ["row_refused", "scraped"]


def test_a_summary_stays_small_whatever_pages_say() -> None:
    summary = Summary()
    for n in range(1000):
        summary.settled("refused", "queue", f"{n} [bold]" + "x" * 1000)
    assert summary.denied.total() == 1000
    assert len(summary.denied) == 51
    assert max(map(len, summary.denied)) == 300
