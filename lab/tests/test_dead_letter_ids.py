"""A dead letter is known by its id, wherever its sender has put it."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.wait import eventually
from system.contract.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


def test_ids_are_read_from_properties_headers_or_the_body(shared_lab: Lab) -> None:
    """The broker's own dead letters of the earlier system's messages have theirs in the body."""
    ids = [str(uuid.uuid4()) for _ in range(3)]
    letters: list[tuple[bytes, dict[str, Any]]] = [
        (b"[]", {"message_id": ids[0]}),
        (b"[]", {"headers": {"id": ids[1]}}),
        (json.dumps({"id": ids[2], "task": "t", "args": []}).encode(), {}),
        (b"not json", {}),
        (b"[1]", {}),
    ]
    url = shared_lab.endpoints.broker_urls["admin"]
    with amqp.channel(url) as on:
        on.confirm_delivery()
        for body, properties in letters:
            amqp.send(
                on,
                body,
                exchange=DEAD_LETTER_EXCHANGE,
                key=DEAD_LETTER_QUEUE,
                properties=properties,
            )
        purged: list[int] = []

        def all_are_away() -> bool:
            purged.append(int(on.queue_purge(DEAD_LETTER_QUEUE).method.message_count))
            return sum(purged) >= len(letters)

        try:
            found = [each.message_id for each in amqp.dead_letters(url)]
        finally:  # the lab is shared; what was read may still be on its way back to its queue
            eventually("all of them to be away", all_are_away, within_s=60)

    assert found == [*ids, "", ""]
