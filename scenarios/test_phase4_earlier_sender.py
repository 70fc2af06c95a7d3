"""Phase 4: the earlier system's sender, unchanged, and what becomes of a message without a queue.

It publishes to the fanout exchange `matches-fanout`, neither asks for unroutable messages back nor
waits for a confirm, and says "submitted" in any case. So it is the broker that must not lose them.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pika
import pytest
from celery import Celery

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence
from lab.workload import earlier
from scenarios.support import drivers, operator
from system.contract.envelope import new_message_id
from system.contract.topology import (
    EARLIER_SENDER,
    EXCHANGE,
    FANOUT_EXCHANGE,
    PROCESS_QUEUE,
)

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

PLAN = {"workers": 1, "concurrency": 2}


def test_the_earlier_sender_works_as_it_is(lab: Lab, evidence: Evidence) -> None:
    """What the earlier sender submits is stored: its own exchange, no routing key, no headers."""
    url = lab.endpoints.broker_urls[EARLIER_SENDER]
    ids = [earlier.submit(url, earlier.match(number)) for number in range(5)]
    drivers.wait_for_receipts(lab, ids)
    receipts = drivers.receipts(lab, ids)
    evidence("published to", {"exchange": FANOUT_EXCHANGE, "routing key": ""})
    evidence("body", earlier.body(earlier.match(0), ids[0]).decode())
    evidence("submitted, receipts", [len(ids), len(receipts)])
    evidence("effects", [each["effect"] for each in receipts])
    assert [each["effect"] for each in receipts] == ["created"] * 5
    assert {each["observed_from"] for each in receipts} == {"arrival"}


def test_it_may_do_only_what_it_has_to(lab: Lab, evidence: Evidence) -> None:
    """The earlier sender's user may declare and use its exchange; all else is refused in words.

    A sender that is told a queue's name (`queue_name`) declares it as a classic queue. The broker
    refuses that, and so the sender reports an error instead of "submitted".
    """
    url = lab.endpoints.broker_urls[EARLIER_SENDER]
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED") as queue:
        _declare_classic(url)
    as_admin = lab.endpoints.broker_urls["admin"]
    with pytest.raises(pika.exceptions.ChannelClosedByBroker) as classic:
        _declare_classic(as_admin)
    with pytest.raises(pika.exceptions.ChannelClosedByBroker, match="ACCESS_REFUSED") as other:
        earlier.submit(url, earlier.match(90), exchange=EXCHANGE, key=PROCESS_QUEUE)
    app = Celery("earlier", broker=url, set_as_current=False)
    with pytest.raises(Exception, match="ACCESS_REFUSED") as direct:
        app.send_task(earlier.TASK, [earlier.match(91)], queue=PROCESS_QUEUE, retry=False)
    app.close()
    evidence("declaring a classic `matches.process`", str(queue.value))
    evidence("the same, as the administrator", str(classic.value))
    evidence("publishing to another exchange", str(other.value))
    evidence("Celery's `send_task(queue=…)`", str(direct.value))
    assert "x-queue-type" in str(classic.value)


def test_what_finds_no_queue_is_kept_shown_and_replayed(lab: Lab, evidence: Evidence) -> None:
    """Without a binding its messages become dead letters "unroutable", and a replay stores them.

    The sender notices nothing of it. The same holds for a routing key that does not exist, and the
    broker counts none as dropped.
    """
    url, admin = (lab.endpoints.broker_urls[user] for user in (EARLIER_SENDER, "admin"))
    with _unbound(lab):
        ids = [earlier.submit(url, earlier.match(number)) for number in range(20, 23)]
    lost = earlier.match(23)
    with amqp.channel(admin) as on:  # not mandatory, as the earlier sender does it
        ids.append(new_message_id())
        properties = pika.BasicProperties(content_type="application/json", delivery_mode=2)
        on.basic_publish(EXCHANGE, "match_processing", earlier.body(lost, ids[-1]), properties)
    dead = drivers.dead_letters(lab, ids)
    listed = operator.list_dead_letters(lab, ids)
    evidence("dead letters: reason, detail", [[d["reason"], d["detail"]] for d in listed])
    output = operator.dead_letters(lab, "replay", "--reason", "unroutable")
    evidence("`replay --reason unroutable` says", output.stdout.splitlines()[-1])
    drivers.wait_for_receipts(lab, ids)
    evidence("receipts under the same ids", len(drivers.receipts(lab, ids)))
    assert {each.reason for each in dead.values()} == {"unroutable"}
    assert {each["reason"] for each in listed} == {"unroutable"}
    assert {each["queue"] for each in listed} == {PROCESS_QUEUE}
    assert sum("'matches-fanout'" in each["detail"] for each in listed) == 3
    assert sum("'match_processing'" in each["detail"] for each in listed) == 1
    assert output.code == 0
    assert operator.list_dead_letters(lab, ids) == []


def test_a_broken_match_of_the_earlier_sender_keeps_its_id_and_its_queue(
    lab: Lab, evidence: Evidence
) -> None:
    """What the gate refuses of it can be replayed: the letter says which queue it came by."""
    url = lab.endpoints.broker_urls[EARLIER_SENDER]
    with amqp.channel(url) as on:
        broken = earlier.body(earlier.match(30), message_id := new_message_id())
        other = broken.replace(earlier.TASK.encode(), b"celery_tasks.match_tasks.renamed")
        properties = pika.BasicProperties(content_type="application/json", message_id=message_id)
        on.basic_publish(FANOUT_EXCHANGE, "", other, properties)
    letter = drivers.dead_letters(lab, [message_id])[message_id]
    evidence("reason, queue", [letter.reason, letter.queue])
    operator.dead_letters(lab, "discard", "--forget", *operator.by_id([message_id]))
    assert (letter.reason, letter.queue) == ("unknown-task", PROCESS_QUEUE)


def _declare_classic(url: str) -> None:
    with amqp.channel(url) as on:
        on.queue_declare(PROCESS_QUEUE, durable=True)


@contextmanager
def _unbound(lab: Lab) -> Iterator[None]:
    """Without the binding of its exchange, for the block."""
    admin = lab.endpoints.broker_urls["admin"]
    with amqp.channel(admin) as on:
        on.queue_unbind(PROCESS_QUEUE, FANOUT_EXCHANGE, "")
    try:
        yield
    finally:
        with amqp.channel(admin) as on:
            on.queue_bind(PROCESS_QUEUE, FANOUT_EXCHANGE, "")
