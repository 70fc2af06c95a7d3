"""Phase 1, second half: what survives when a part of the way dies.

Each guard is shown with its opposite: the same experiment without it loses the message. Brokers and
workers are killed with SIGKILL here, for a polite end shows nothing.
"""

from __future__ import annotations

import pytest
from pika.exceptions import NackError, UnroutableError

from lab.clients import amqp
from lab.clients.backend import Backend
from lab.clients.management import QueueCounts
from lab.errors import LabError
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, OpenLab
from lab.substrates.abilities import Pausable
from lab.substrates.plan import Role
from lab.wait import eventually
from scenarios.support import hello, publishers
from scenarios.support.hello import killable
from scenarios.support.playground import Playground
from system.contract.envelope import BROKER_DEATHS
from system.contract.topology import LEARN_QUEUE, PROCESS_QUEUE

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

PLAN = {"workers": 1, "concurrency": 2}
EARLY_ACKS = {Role.WORKER: "system.tests.weakened.late_acks"}
LONG_TASKS = {
    Role.WORKER: {
        "MISSING_TABLE_SOFT_TIME_LIMIT_S": "200",
        "MISSING_TABLE_HARD_TIME_LIMIT_S": "210",
    }
}
TEN = [f"message {number}" for number in range(10)]


def test_a_late_ack_survives_a_killed_worker(lab: Lab, evidence: Evidence) -> None:
    """A worker that acknowledges after its work loses nothing when it is killed in the middle."""
    for seconds in (4, 12, 24):
        ids = hello.send(lab, 2, seconds=seconds)
        eventually("the worker to have both", lambda: hello.waiting(lab) == 0, within_s=60)
        killable(lab).kill(Role.WORKER)
        done = hello.count_answers(lab, ids)
        if not done:
            break
        killable(lab).start(Role.WORKER)  # a busy machine was too late: with longer tasks
        hello.wait_for(lab, ids)
    evidence("answers when the worker was killed", done)
    assert done == 0
    eventually("the broker to notice", lambda: hello.waiting(lab) == 2, within_s=60)
    evidence("messages back in the queue", hello.waiting(lab))
    killable(lab).start(Role.WORKER)
    hello.wait_for(lab, ids)
    evidence("answers after a new worker came", f"{hello.count_answers(lab, ids)} of {len(ids)}")


def test_an_early_ack_does_not(open_lab: OpenLab, evidence: Evidence) -> None:
    """A worker that acknowledges before its work, Celery's default, loses it when it is killed.

    The same worker, with `task_acks_late` as Celery has it by default. A third message, sent
    afterwards, shows that the new worker works and has nothing else left to do.
    """
    lab = open_lab(wrapper=EARLY_ACKS, settings=LONG_TASKS, concurrency=2)
    ids = hello.send(lab, 2, seconds=100)  # it will not live to see their end
    eventually(
        "the broker to have two acks, while the worker still works",
        lambda: lab.endpoints.management.queue(LEARN_QUEUE).acked == 2,
        within_s=80,
        tolerate=(LabError,),
    )
    done = hello.count_answers(lab, ids)
    killable(lab).kill(Role.WORKER)
    evidence("acks that the broker had, and answers, when the worker was killed", [2, done])
    evidence("messages back in the queue", hello.waiting(lab))
    killable(lab).start(Role.WORKER)
    later = hello.send(lab)
    hello.wait_for(lab, later)
    evidence("answers after a new worker came", f"{hello.count_answers(lab, ids)} of {len(ids)}")
    evidence("answer to a message sent afterwards", hello.count_answers(lab, later))
    eventually(
        "the broker to have the third ack, and nothing left",
        lambda: lab.endpoints.management.queue(LEARN_QUEUE) == QueueCounts(0, 0, 3),
        within_s=60,
        tolerate=(LabError,),
    )
    evidence("messages left anywhere in the queue", 0)
    assert done == 0
    assert hello.count_answers(lab, ids) == 0


def test_a_redelivery_takes_effect_once(lab: Lab, evidence: Evidence) -> None:
    """A message that comes twice takes effect once: the store keeps a receipt under its id.

    Late acks have this price: what was done just before a crash is delivered again.
    """
    once = lab.send(external_match_id="phase-1-twice")
    lab.send(external_match_id="phase-1-twice", message_id=once)

    def applied() -> list[str]:
        lines = (
            line for log in lab.substrate.logs(Role.WORKER) for line in log.text().splitlines()
        )
        return [line for line in lines if once in line and "applied" in line]

    eventually("both deliveries to be done", lambda: len(applied()) == 2, within_s=60)
    receipts, _ = Backend(lab.endpoints.api_url).receipts()
    kept = [each for each in receipts if each.message_id == once]
    stored = [
        each
        for each in Backend(lab.endpoints.api_url).matches()
        if each["external_match_id"] == "phase-1-twice"
    ]
    evidence("deliveries that a worker has done", len(applied()))
    evidence("receipts", len(kept))
    evidence("matches stored", len(stored))
    assert (len(kept), len(stored)) == (1, 1)


def test_unroutable_is_silent_unless_mandatory(lab: Lab, evidence: Evidence) -> None:
    """A message that fits no queue is confirmed and dropped; with `mandatory` it comes back."""
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        exchange, queue = ground.exchange("direct"), ground.queue("bound")
        ground.bind(queue, exchange, "right")
        ground.publish(exchange, "wrong", ["lost"])
        evidence("without mandatory: the publisher hears", "confirmed")
        evidence("without mandatory: messages in the queue", ground.depth(queue))
        assert ground.depth(queue) == 0
        with pytest.raises(UnroutableError) as returned:
            ground.publish(exchange, "wrong", ["returned"], mandatory=True)
        (back,) = returned.value.messages
        evidence(
            "with mandatory: the publisher hears",
            f"{back.method.reply_code} {back.method.reply_text}, and {back.body.decode()!r} again",
        )
        ground.publish(exchange, "right", ["routed"], mandatory=True)
        assert back.method.reply_text == "NO_ROUTE"
        assert ground.bodies(queue) == ["routed"]


def test_a_full_queue_refuses_or_forgets(lab: Lab, evidence: Evidence) -> None:
    """A full queue drops its oldest message; with `reject-publish`, it refuses the newest.

    The first is the default. It confirms what it takes, and so it silently breaks its word about
    what it took before. The system's queues refuse; then the scraper keeps the message.
    """
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        forgets = ground.queue("forgets", arguments={"x-max-length": 3})
        refuses = ground.queue(
            "refuses", arguments={"x-max-length": 3, "x-overflow": "reject-publish"}
        )
        ground.publish("", forgets, ["1", "2", "3", "4"])
        ground.publish("", refuses, ["1", "2", "3"])
        with pytest.raises(NackError):
            ground.publish("", refuses, ["4"])
        kept = {"forgets": ground.bodies(forgets), "refuses": ground.bodies(refuses)}
    evidence("sent to queues with room for 3", ["1", "2", "3", "4"])
    evidence("by default: confirmed, and kept in the end", ["4 confirmed", *kept["forgets"]])
    evidence("with reject-publish: confirmed, and kept", ["3 confirmed", *kept["refuses"]])
    assert kept == {"forgets": ["2", "3", "4"], "refuses": ["1", "2", "3"]}


def test_dead_letters_keep_the_reason(lab: Lab, evidence: Evidence) -> None:
    """What a queue gives up goes to its dead-letter exchange, and the broker writes down why."""
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        exchange, dead = ground.exchange("fanout"), ground.queue("dead")
        ground.bind(dead, exchange)
        to_dead = {"x-dead-letter-exchange": exchange}
        queues = {
            "rejected": ground.queue("rejected", arguments=to_dead),
            "expired": ground.queue("expired", arguments={**to_dead, "x-message-ttl": 1}),
            "maxlen": ground.queue("full", arguments={**to_dead, "x-max-length": 0}),
        }
        for name, queue in queues.items():
            ground.publish("", queue, [name])
        with ground.channel() as on:
            method, _, _ = on.basic_get(queues["rejected"])
            on.basic_reject(method.delivery_tag, requeue=False)
        eventually("three dead letters", lambda: ground.depth(dead) == 3, within_s=30)
        reasons = {
            body: (properties.headers or {})[BROKER_DEATHS][0]["reason"]
            for body, properties in ground.take(dead)
        }
    for body, reason in reasons.items():
        evidence(f"the message that was {body}: x-death says", reason)
    assert reasons == {name: name for name in queues}


def test_the_system_says_why_in_words(lab: Lab, evidence: Evidence) -> None:
    """What no task can take is dead-lettered by the worker, with a reason that people can read."""
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        ground.publish(
            "matches",
            PROCESS_QUEUE,
            ["{not json"],
            mandatory=True,
            properties={"content_type": "application/json", "message_id": "phase-1-broken"},
        )
    operator = lab.endpoints.broker_urls["operator"]
    (letter,) = eventually(
        "the dead letter",
        lambda: [
            each for each in amqp.dead_letters(operator) if each.message_id == "phase-1-broken"
        ],
        within_s=60,
    )
    evidence("reason", letter.reason)
    evidence("detail", letter.detail)
    evidence("it came from", letter.queue)
    evidence("its body, unchanged", letter.body.decode())
    assert letter.reason == "unreadable"
    assert letter.body == b"{not json"
    assert letter.queue == PROCESS_QUEUE


def test_only_durable_and_persistent_survives(lab: Lab, evidence: Evidence) -> None:
    """A persistent message in a durable queue survives a broker's death; either alone does not.

    Ten messages each way, all of them confirmed; then the broker is killed and started again.
    *Durable* is a word about the queue, *persistent* one about the message.
    """
    left: dict[tuple[bool, bool], int | None] = {}
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        queues = {
            (durable, persistent): ground.queue(f"{durable}-{persistent}", durable=durable)
            for durable in (True, False)
            for persistent in (True, False)
        }
        for (durable, persistent), queue in queues.items():
            ground.publish("", queue, TEN, persistent=persistent)
            assert ground.depth(queue) == len(TEN), (durable, persistent)
        hello.write_declarations(lab)
        killable(lab).kill(Role.BROKER)
        killable(lab).start(Role.BROKER)
        for each, queue in queues.items():
            left[each] = ground.depth(queue)
    for (durable, persistent), count in left.items():
        name = f"{'durable' if durable else 'transient'} queue, "
        name += f"{'persistent' if persistent else 'transient'} messages"
        evidence(name, f"{count} of 10 are left" if count is not None else "the queue is gone")
    assert left == {(True, True): 10, (True, False): 0, (False, True): None, (False, False): None}


@pytest.mark.parametrize("confirm", [False, True], ids=["without confirms", "with confirms"])
def test_a_confirm_tells_what_is_safe(confirm: bool, lab: Lab, evidence: Evidence) -> None:
    """Only a confirm says that the broker has a message; without it, "sent" means "in a buffer".

    The broker hangs, so that what is published stays in buffers, and then it is killed. Without
    confirms the publisher believes that all is well. With them it knows that nothing is known, and
    sends again.
    """
    substrate = lab.substrate
    assert isinstance(substrate, Pausable)
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        queue = ground.queue("confirms")
        hello.write_declarations(lab)

        def die() -> None:
            killable(lab).kill(Role.BROKER)
            killable(lab).start(Role.BROKER)

        belief = publishers.publish_into_the_dark(
            ground,
            queue,
            TEN,
            confirm=confirm,
            hang=lambda: substrate.pause(Role.BROKER),
            die=die,
        )
        evidence("calls of publish that returned without an error", belief.sent)
        evidence("the first error", belief.error or "none")
        there = ground.depth(queue)
        evidence("messages in the queue after the broker came back", there)
        if confirm:
            assert (belief.sent, there) == (0, 0)
            assert belief.error
            ground.publish("", queue, TEN)
            evidence("after sending again: in the queue", ground.depth(queue))
            assert ground.bodies(queue) == TEN
        else:
            assert (belief.sent, belief.error) == (len(TEN), "")
            assert there == 0
