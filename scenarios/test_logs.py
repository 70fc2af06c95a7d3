"""One message id can be found by grep in the logs of every process that handled the message."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from typing import Any

import pytest

from lab.experiment.lab import Lab
from lab.substrates.plan import Role
from lab.wait import eventually

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def _said(texts: Iterable[str], message_id: str) -> Iterator[dict[str, Any]]:
    """Every line that a plain search for the id finds, read as what it must be: JSON."""
    for text in texts:
        for line in text.splitlines():
            # The last line may be incomplete.
            if message_id in line and line.endswith("}"):
                yield json.loads(line)


def _lines(lab: Lab, message_id: str, event: str) -> dict[str, list[dict[str, Any]]]:
    """The lines about an event of a message, by who wrote them."""
    logs = lab.substrate.logs
    texts = {
        "scraper": [path.read_text("utf-8") for path in lab.folder.glob("logs/scraper-*.log")],
        "worker": [log.text() for log in logs(Role.WORKER)],
        "backend": [log.text() for log in logs(Role.API)],
    }
    return {
        role: [
            line
            for line in _said(found, message_id)
            if line["event"] == event
            and message_id in (line.get("message_id"), *line.get("message_ids", ()))
        ]
        for role, found in texts.items()
    }


def _told_by(role: str, lab: Lab, message_id: str, event: str) -> list[dict[str, Any]]:
    """Its lines; a line is written after the event, so it may come a moment later."""
    return eventually(
        f"the {role}'s line about {message_id}",
        lambda: _lines(lab, message_id, event)[role],
        within_s=60,
    )


def test_an_id_leads_from_the_page_to_the_commit(lab: Lab) -> None:
    """Scraper, worker and backend each say a line about each message, under its id.

    The backend says one for all that the worker sent together; the worker says what each did.
    """
    lab.scrape(lab.season.moments(3)[1], 0)
    assert lab.settle()
    noted = [json.loads(line) for line in (lab.scraper.journal(0).read(0) or b"").splitlines()]
    ids = [event["message_id"] for event in noted if event["event"] == "accepted"]
    assert len(ids) > 10
    for message_id in ids:
        (worker,) = _told_by("worker", lab, message_id, "applied")
        (backend,) = _told_by("backend", lab, message_id, "applied")
        (scraper,) = _told_by("scraper", lab, message_id, "accepted")
        assert worker["task_id"] == message_id
        assert worker["effect"] == backend.get("effect", worker["effect"])
        assert backend["way"] == scraper["way"] == "queue"
        assert scraper["page"].startswith(lab.endpoints.site_url)


def test_a_dead_letter_is_told_under_its_id_with_the_reason(lab: Lab) -> None:
    """Even if no task could read the message."""
    lab.send_foreign(0)
    assert lab.settle()
    reasons = set()
    for message_id in lab.ledger.dead:
        (line,) = _told_by("worker", lab, message_id, "dead-lettered")
        assert line["level"] == "error"
        reasons.add(line["reason"])
    assert reasons == {"invalid", "unreadable", "unknown-task"}
