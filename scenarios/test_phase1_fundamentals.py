"""Phase 1: message queue fundamentals.

One task is followed from its sender to its answer; then each part on the way is looked at alone:
exchanges, the queue, the worker, the result. What happens when one of them dies comes in the second
half, `test_phase1_safety`.
"""

from __future__ import annotations

import json
import time

import pytest
from celery.result import AsyncResult

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence
from lab.wait import eventually, stopwatch
from scenarios.support import consumers, hello
from scenarios.support.playground import Playground
from system.contract.envelope import new_message_id
from system.contract.topology import LEARN_QUEUE

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

CONCURRENCY, PREFETCH_MULTIPLIER = 2, 4
MESSAGES = 24
"""That two consumers share."""
PLAN = {"workers": 1, "concurrency": CONCURRENCY}
KEYS = ("match.u14.northeast", "match.u14.florida", "match.u15.northeast", "table.u14")


def test_the_life_of_a_task(lab: Lab, evidence: Evidence) -> None:
    """A task is a message: sender, exchange, queue, worker, Redis, caller; seen at each stage.

    The worker is stopped at first, so that the message can be found in its queue. It is written by
    hand, without any of the worker's code.
    """
    with hello.no_worker(lab):
        (message_id,) = hello.send(lab, name="Phase 1", seconds=0.5)
        evidence("1 sent: the message's id", message_id)
        with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
            method, properties, body = on.basic_get(LEARN_QUEUE, auto_ack=False)
            on.basic_nack(method.delivery_tag, requeue=True)  # looked at, and put back
        # The broker writes to disk that it is back, and nobody is told when it has.
        eventually("it to be back in its queue", lambda: hello.waiting(lab) == 1, within_s=60)
        assert properties.headers is not None
        evidence("2 in the queue: messages", hello.waiting(lab))
        evidence("2 in the queue: header `task`", properties.headers["task"])
        evidence("2 in the queue: body", body.decode())
        evidence("2 in Redis: an answer", hello.answer(lab, message_id))
        assert properties.headers["id"] == message_id
        assert json.loads(body)[0] == ["Phase 1", 0.5]
        assert hello.waiting(lab) == 1
        assert hello.answer(lab, message_id) is None
    hello.wait_for(lab, [message_id])
    kept = hello.answer(lab, message_id)
    assert kept is not None
    evidence("3 the worker has taken it: messages in the queue", hello.waiting(lab))
    evidence("4 in Redis: key", hello.key(message_id))
    evidence("4 in Redis: value", {name: kept[name] for name in ("status", "result")})
    with hello.caller(lab) as app:
        output = AsyncResult(message_id, app=app).get(timeout=60)
    evidence("5 the caller reads", output)
    assert kept["status"] == "SUCCESS"
    assert output == "Hello, Phase 1!"
    assert hello.waiting(lab) == 0


def test_celerys_client_writes_the_same_message(lab: Lab, evidence: Evidence) -> None:
    """Celery's `send_task` needs no worker code either: a task's name and its queue are enough."""
    begun = time.monotonic()
    with hello.caller(lab) as app:
        sent = app.send_task(
            "hello", ["Celery"], exchange="matches", routing_key=LEARN_QUEUE, retry=False
        )
        output = sent.get(timeout=60)
    evidence("sent under the id", sent.id)
    evidence("the caller reads", output)
    evidence("milliseconds from sending to reading", round((time.monotonic() - begun) * 1000))
    assert output == "Hello, Celery!"


def test_a_failure_is_an_answer(lab: Lab, evidence: Evidence) -> None:
    """A task that raises answers with its exception; the worker goes on with the next one."""
    (broken, good) = hello.send(lab, seconds="soon") + hello.send(lab)
    hello.wait_for(lab, [broken, good])
    failed, fine = hello.answer(lab, broken), hello.answer(lab, good)
    assert failed is not None
    assert fine is not None
    evidence("hello(seconds='soon')", failed["status"])
    evidence("its answer", failed["result"])
    evidence("the next one", fine["status"])
    assert (failed["status"], fine["status"]) == ("FAILURE", "SUCCESS")
    assert failed["result"]["exc_type"] == "ValueError"


def test_a_queue_is_a_buffer(lab: Lab, evidence: Evidence) -> None:
    """While no worker runs, the queue grows and the sender notices nothing; then it drains."""
    ids: list[str] = []
    with hello.no_worker(lab):
        depths = [hello.waiting(lab)]
        for _ in range(4):
            ids += hello.send(lab, 10)
            depths.append(hello.waiting(lab))
        evidence("messages in the queue after each 10 sent", depths)
        evidence("answers meanwhile", hello.count_answers(lab, ids))
        assert depths == [0, 10, 20, 30, 40]
        assert hello.count_answers(lab, ids) == 0
    hello.wait_for(lab, ids)
    evidence("with a worker again: messages in the queue", hello.waiting(lab))
    evidence("with a worker again: answers", hello.count_answers(lab, ids))
    assert hello.waiting(lab) == 0


def test_a_direct_exchange_compares_keys(lab: Lab, evidence: Evidence) -> None:
    """A direct exchange delivers if routing key and binding key are equal; `*` is just a star.

    The earlier system bound `match.*` to a direct exchange, and its messages were lost.
    """
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        exchange = ground.exchange("direct")
        bindings = ("match.u14.northeast", "table.u14", "match.*.*")
        got = deliver(ground, exchange, bindings)
    evidence("sent, by routing key", list(KEYS))
    for binding in bindings:
        evidence(f"queue bound by {binding}", got[binding])
    assert got == {
        "match.u14.northeast": ["match.u14.northeast"],
        "table.u14": ["table.u14"],
        "match.*.*": [],
    }


def test_a_topic_exchange_compares_patterns(lab: Lab, evidence: Evidence) -> None:
    """A topic exchange compares word by word: `*` is one word, `#` any number of words."""
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        exchange = ground.exchange("topic")
        bindings = ("match.*", "match.*.*", "*.u14.#", "#")
        got = deliver(ground, exchange, bindings)
    evidence("sent, by routing key", list(KEYS))
    for binding in bindings:
        evidence(f"queue bound by {binding}", got[binding])
    assert got == {
        "match.*": [],
        "match.*.*": list(KEYS[:3]),
        "*.u14.#": [KEYS[0], KEYS[1], KEYS[3]],
        "#": list(KEYS),
    }


def test_a_fanout_exchange_copies_to_every_queue(lab: Lab, evidence: Evidence) -> None:
    """A fanout exchange gives every queue a copy and does not look at the key."""
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        exchange = ground.exchange("fanout")
        bindings = ("production", "development")
        got = deliver(ground, exchange, bindings)
    evidence("sent, by routing key", list(KEYS))
    for binding in bindings:
        evidence(f"queue {binding}", got[binding])
    assert got == {"production": list(KEYS), "development": list(KEYS)}


def deliver(ground: Playground, exchange: str, bindings: tuple[str, ...]) -> dict[str, list[str]]:
    """Publish one message under each of `KEYS`; return what each binding's queue got, in order."""
    queues = {
        binding: ground.queue(f"{exchange}-{number}") for number, binding in enumerate(bindings)
    }
    for binding, queue in queues.items():
        ground.bind(queue, exchange, binding)
    for key in KEYS:
        ground.publish(exchange, key, [key])
    return {binding: ground.bodies(queue) for binding, queue in queues.items()}


def test_prefetch_bounds_what_a_worker_holds(lab: Lab, evidence: Evidence) -> None:
    """A worker takes no more than pool children x prefetch multiplier; the rest stays in the queue.

    So others can have the rest, and a worker that dies takes little with it. What it holds is what
    was sent, less what is in the queue and what has been answered. The first tasks are long, so
    that nothing has been answered when the worker has taken all that it may.
    """
    allowed = CONCURRENCY * PREFETCH_MULTIPLIER
    for seconds in (4, 12, 24):
        most = _most_held(lab, 3 * allowed, seconds)
        if most >= allowed:
            break  # else a busy machine looked too late: again, with longer tasks
    evidence("children, and multiplier", [CONCURRENCY, PREFETCH_MULTIPLIER])
    evidence("messages sent", 3 * allowed)
    evidence("the most that the worker held at once", most)
    assert most == allowed


def _most_held(lab: Lab, count: int, seconds: float) -> int:
    """Send so many tasks, the first ones of so many seconds; the most that the worker held."""
    with hello.no_worker(lab):
        ids = hello.send(lab, CONCURRENCY, seconds=seconds)
        ids += hello.send(lab, count - CONCURRENCY, seconds=0.1)
    held: list[int] = []

    def look() -> bool:
        ready = hello.waiting(lab)
        done = hello.count_answers(lab, ids)  # after it: so that `held` is never too large
        held.append(len(ids) - ready - done)
        return done == len(ids)

    eventually("every task to be answered", look, within_s=120)
    return max(held)


def test_prefetch_decides_about_fairness(lab: Lab, evidence: Evidence) -> None:
    """With prefetch 1 the quick worker gets most of the work; with much prefetch each gets half.

    Two consumers share a queue. One needs 250 ms for a message, the other nothing. Without a bound
    the broker hands out in turn, long before it can know who is slow.
    """
    shares = {}
    with Playground(lab.endpoints.broker_urls["admin"]) as ground:
        for prefetch in (100, 1):
            queue = ground.queue(f"shared-{prefetch}")
            shares[prefetch] = consumers.share(ground, queue, prefetch=prefetch, messages=MESSAGES)
            for who, count in shares[prefetch].counts.items():
                evidence(f"prefetch {prefetch}: messages of the {who} consumer", count)
            evidence(f"prefetch {prefetch}: seconds until all were done", shares[prefetch].seconds)
    assert shares[100].counts == {"slow": MESSAGES // 2, "quick": MESSAGES // 2}
    assert shares[1].counts["quick"] > 2 * shares[1].counts["slow"]
    assert sum(shares[1].counts.values()) == MESSAGES


def test_a_result_is_kept_for_an_hour(lab: Lab, evidence: Evidence) -> None:
    """Redis keeps an answer for an hour, then forgets; to Celery, forgotten is `PENDING`.

    `PENDING` means "nothing known", not "on its way". So the system never asks Redis whether a
    match was stored: its receipt is in the database, in the same transaction as the match.
    """
    stored = lab.send(external_match_id="phase-1-result")
    eventually("the match's receipt", lambda: _receipt(lab, stored), within_s=60)
    with stopwatch() as seconds, hello.results(lab) as client, hello.caller(lab) as app:
        (asked,) = hello.send(lab)
        hello.wait_for(lab, [asked])
        ttl = int(client.ttl(hello.key(asked)))
        passed = seconds()
        before = AsyncResult(asked, app=app).state
        client.pexpire(hello.key(asked), 1)  # as if the hour were over
        eventually("the answer to expire", lambda: not client.exists(hello.key(asked)), within_s=30)
        after = AsyncResult(asked, app=app).state
        never = AsyncResult(new_message_id(), app=app).state
    evidence("seconds that the answer still has", ttl)
    evidence("state before and after it expired", [before, after])
    evidence("state of a task that was never sent", never)
    evidence("a stored match: its answer in Redis", hello.answer(lab, stored))
    assert 3600 - passed - 1 <= ttl <= 3600
    assert (before, after, never) == ("SUCCESS", "PENDING", "PENDING")
    assert hello.answer(lab, stored) is None


def _receipt(lab: Lab, message_id: str) -> bool:
    lab.ledger.look()
    return message_id in lab.ledger.effects
