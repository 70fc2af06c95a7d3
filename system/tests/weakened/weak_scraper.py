"""A scraper with one defect, which the variable WEAKENED names; see `DEFECTS`."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from system.contract.topology import PROCESS_QUEUE, VALIDATE_QUEUE
from system.messaging import publisher
from system.scraper import delivery, pages, run
from system.scraper.delivery import Delivery, DeliveryOutcome, DeliveryResult
from system.scraper.metrics import ScraperMetrics
from system.tests.weakened import replaced, run_given

_EVERY = 20
_UNUSUAL = 4
_numbers = itertools.count(1)


def _forget_fallback() -> None:
    """What the broker did not take counts as sent to the API, and nothing is sent."""

    def weakened(_self: Any, envelopes: Any) -> Any:
        accepted = DeliveryOutcome.ACCEPTED
        return [DeliveryResult(each.message_id, accepted, "http") for each in envelopes]

    replaced(Delivery, "_by_http", weakened)


def _empty_early() -> None:
    """What is about to be sent is no longer in the outbox."""
    send = Delivery._send

    def weakened(self: Any, envelopes: Any) -> Any:
        self._spool.discard([each.message_id for each in envelopes])
        return send(self, envelopes)

    replaced(Delivery, "_send", weakened)


def _wrong_key() -> None:
    """One message in twenty has the routing key of another queue."""

    def weakened(self: Any, envelopes: Any) -> Any:
        stray = {each.message_id for each in envelopes if next(_numbers) % _EVERY == 0}
        results: dict[str, Any] = {}
        for key, some in (
            (PROCESS_QUEUE, [each for each in envelopes if each.message_id not in stray]),
            (VALIDATE_QUEUE, [each for each in envelopes if each.message_id in stray]),
        ):
            replaced(delivery, "PROCESS_QUEUE", key)
            results |= {each.message_id: each for each in by_queue(self, some)}
        return [results[each.message_id] for each in envelopes]

    by_queue = Delivery._by_queue
    replaced(Delivery, "_by_queue", weakened)


def _skip_high_scores() -> None:
    """Rows with scores that are seldom seen are left out."""
    _matches(lambda read: [each for each in read if (each.home_score or 0) < _UNUSUAL])


def _number_by_row() -> None:
    """A match is known by the number of its row."""

    def numbered(each: Any) -> Any:
        return each.model_copy(update={"external_match_id": str(1_000_000 + next(_numbers))})

    _matches(lambda read: [numbered(each) for each in read])


def _matches(change: Callable[[Any], Any]) -> None:
    def weakened(*given: Any, **named: Any) -> Any:
        read = parse(*given, **named)
        return replace(read, matches=tuple(change(read.matches)))

    parse = replaced(pages, "parse", weakened)


def _refuse_without_words() -> None:
    """A row that cannot be read is refused, and the journal does not say why."""
    _refused(lambda rows: [replace(each, reason="") for each in rows])


def _hide_refusals() -> None:
    """A row that cannot be read is left out, and nobody hears of it."""
    _refused(lambda rows: [])


def _refused(change: Callable[[Any], Any]) -> None:
    def weakened(*given: Any, **named: Any) -> Any:
        read = parse(*given, **named)
        return replace(read, refused=tuple(change(read.refused)))

    parse = replaced(pages, "parse", weakened)


def _count_twice() -> None:
    """Each message that was accepted is counted twice."""
    accepted = ScraperMetrics.accepted

    def weakened(self: Any, ways: Any, **given: Any) -> None:
        accepted(self, [*ways, *ways], **given)

    replaced(ScraperMetrics, "accepted", weakened)


def _in_memory() -> None:
    """Its messages are marked as if the broker need not keep them on disk."""
    replaced(publisher, "PERSISTENT_DELIVERY_MODE", 1)


def _deliver_less() -> None:
    """The last message of each page is journalled as accepted, and is nowhere."""
    deliver = run._deliver

    def weakened(page: str, fresh: Any, to: Any, journal: Any, summary: Any) -> None:
        deliver(page, fresh[:-1], to, journal, summary)
        envelope, _ = fresh[-1]
        journal.attempted(fresh[-1:])
        journal.settled([(envelope.message_id, "accepted", "queue", "")])

    replaced(run, "_deliver", weakened)


DEFECTS: dict[str, Callable[[], None]] = {
    "forgets-fallback": _forget_fallback,
    "empties-early": _empty_early,
    "wrong-key": _wrong_key,
    "skips-high-scores": _skip_high_scores,
    "refuses-without-words": _refuse_without_words,
    "hides-refusals": _hide_refusals,
    "numbers-by-row": _number_by_row,
    "counts-twice": _count_twice,
    "in-memory": _in_memory,
    "delivers-less": _deliver_less,
}

if __name__ == "__main__":
    DEFECTS[os.environ["WEAKENED"]]()
    run_given()
