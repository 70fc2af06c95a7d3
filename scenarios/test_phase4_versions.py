"""Phase 4, second half: what the two sides of the queue have to agree about.

A sender drifts from the contract in every way that has been seen, and in each the question is who
notices, when, and in which words. Then sender and consumer are of different versions; and what was
dead-lettered is shown, and replayed once its cause is repaired.
"""

from __future__ import annotations

import random
from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, needs
from lab.substrates.abilities import SharesLoopback
from lab.wait import stopwatch
from lab.workload import foreign
from lab.workload.scraper import SPOOLED
from scenarios.support import drivers, gateway, hello, operator, queue_contents, saved_pages
from scenarios.support.deployments import in_place_of_the_worker
from scenarios.support.gateway import refusing_gateway
from scenarios.support.policies import at_most
from scenarios.support.scrapes import Sender
from system.contract.envelope import new_message_id
from system.contract.topology import LEARN_QUEUE, PROCESS_QUEUE

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

PLAN = {"workers": 1, "concurrency": 2}
NO_API: dict[str, str | None] = {"MISSING_TABLE_API_URL": None}
AT_ONCE_S = 10.0
"""The publisher's deadline: what is noticed by then was reported, not waited for."""
NEWER = {"add": {"referee": "Jo Doe"}, "version": "3.0"}


def test_a_renamed_field_never_leaves_the_sender(lab: Lab, evidence: Evidence) -> None:
    """A sender that calls a field by another name is refused by the contract before it sends.

    `home_score` was `score_home` once. Here it is again, in a scraper that reads a page.
    """
    sender = _sender(lab, "renamed", {"rename": {"home_score": "score_home"}})
    before = queue_contents.depth(lab)
    run = sender.scrape([saved_pages.save_page(lab, sender.moment, 1)])
    evidence("exit code", run.code)
    evidence("what it says", run.output["meaning"])
    evidence("rows on the page, rows refused", [run.output["rows"], run.output["refused"]])
    evidence("the words", reasons := list(run.output["refused_reasons"]))
    evidence("messages attempted, messages in the queue", [len(sender.ids()), before])
    assert run.code == 4  # a page of which not one row is a match was not read
    assert run.output["gaps"] == {"refused": 1}
    assert run.output["rows"] == run.output["refused"] > 0
    assert sum("score_home = " in each and "not a field" in each for each in reasons) > 0
    assert sender.ids() == []
    assert queue_contents.depth(lab) == before


DRIFTS: dict[str, tuple[dict[str, Any], bool, str, str]] = {
    "a wrong routing key": (
        {"key": "match_processing"},
        False,
        "scraper",
        "unroutable: no queue is bound to exchange 'matches' with key 'match_processing'",
    ),
    "a binding that is gone": (
        {},
        True,
        "scraper",
        f"unroutable: no queue is bound to exchange 'matches' with key '{PROCESS_QUEUE}'",
    ),
    "an exchange it has no right to": ({"exchange": "matches-fanout"}, False, "scraper", "403"),
    "an exchange that is not there": ({"exchange": "matches-old"}, False, "admin", "404"),
}


@pytest.mark.parametrize("drift", DRIFTS)
def test_a_wrong_address_is_noticed_at_once(drift: str, lab: Lab, evidence: Evidence) -> None:
    """A message that would get into no queue comes back to its publisher, at once, with the reason.

    It waits in the outbox; the same sender without the drift drains it. Without the API as a way
    round, or it would be noticed only in the log.
    """
    changed, unbound, user, words = DRIFTS[drift]
    sender = _sender(lab, drift.replace(" ", "-"), changed, user=user)
    trouble: AbstractContextManager[None] = lab.fault("queue-unbound") if unbound else nullcontext()
    with trouble:
        run = sender.scrape([saved_pages.save_page(lab, sender.moment, 3)])
    ways, kept = sender.ways(), sender.waiting()
    repaired = _sender(lab, sender.name, {}, user="scraper").drain()
    drivers.wait_for_receipts(lab, sender.ids())
    evidence("the publisher says", run.why)
    evidence("seconds from sending to knowing", took := sender.seconds_to_safety())
    evidence("the scraper's exit code", run.code)
    evidence("its messages, by way", ways)
    evidence("waiting in the outbox", kept)
    evidence("repaired: `drain` says", {"exit code": repaired.code, **repaired.output})
    evidence("repaired: receipts", len(drivers.receipts(lab, sender.ids())))
    assert words in run.why
    assert took < AT_ONCE_S
    assert run.code == SPOOLED
    assert ways == {"outbox": kept}
    assert kept == len(sender.ids()) > 0
    assert repaired.code == 0


def test_a_full_queue_says_no(lab: Lab, evidence: Evidence) -> None:
    """A queue that is full refuses what comes, and the publisher says so and keeps it.

    Its bound is lowered from a million to three messages by a policy, while the worker is stopped.
    A quorum queue reports that it is full only after the fact: of the first page three or more
    still fit, how many is luck. The second page finds it full.
    """
    first, second = _sender(lab, "filling", {}), _sender(lab, "full", {})
    with hello.no_worker(lab):
        with at_most(lab, PROCESS_QUEUE, 3):
            first.scrape([saved_pages.save_page(lab, first.moment, 1)])
            run = second.scrape([saved_pages.save_page(lab, second.moment, 2)])
            early, ways, depth = first.ways(), second.ways(), queue_contents.depth(lab)
        first.drain()
        drained = second.drain()
    ids = first.ids() + second.ids()
    drivers.wait_for_receipts(lab, ids)
    evidence("first page: messages by way", early)
    evidence("second page: messages by way", ways)
    evidence("the publisher says", run.why)
    evidence("seconds from sending to knowing", took := second.seconds_to_safety())
    evidence("messages in the queue", depth)
    evidence("with the usual bound: `drain` says", {"exit code": drained.code, **drained.output})
    evidence("messages, receipts", [len(ids), len(drivers.receipts(lab, ids))])
    assert "refused it (a full queue does that)" in run.why
    assert took < AT_ONCE_S
    assert ways == {"outbox": len(second.ids())}
    assert depth == early["queue"] >= 3
    assert early.get("outbox", 0) == len(first.ids()) - depth
    assert drained.output["accepted_by_way"] == {"queue": len(second.ids())}


def test_a_wrong_task_name_is_noticed_at_the_gate(lab: Lab, evidence: Evidence) -> None:
    """A task that does not exist is accepted by the broker, and dead-lettered by the first worker.

    No broker can know the names of tasks. So the publisher hears nothing of it; but the dead letter
    is there as soon as a worker has looked.
    """
    name = "missing_table.tasks.process_match_data"
    sender = _sender(lab, "wrong-task", {"task": name})
    run = sender.scrape([saved_pages.save_page(lab, sender.moment, 3)])
    dead = drivers.dead_letters(lab, sender.ids()).values()
    took = [
        (d.died_at - d.published_at).total_seconds() for d in dead if d.died_at and d.published_at
    ]
    evidence("the publisher: messages by way", run.output["accepted_by_way"])
    evidence("dead letters, by reason", Counter(each.reason for each in dead))
    evidence("the words", sorted({each.detail for each in dead}))
    evidence("seconds from published to dead-lettered, the longest", max(took))
    _discard(lab, sender.ids())
    assert run.output["accepted_by_way"] == {"queue": len(sender.ids())}
    assert {each.reason for each in dead} == {"unknown-task"}
    assert all(name in each.detail for each in dead)
    assert drivers.receipts(lab, sender.ids()) == []


def test_a_teaching_task_holds_up_no_match(lab: Lab, evidence: Evidence) -> None:
    """`hello` is taken from its own queue only; sent to the queue of matches, it is dead-lettered.

    Twenty of them would work for 30 s each; the match behind them is stored at once.
    """
    asked = [hello.message(seconds=30) for _ in range(20)]
    ids = [each.message_id for each in asked]
    url = lab.endpoints.broker_urls["scraper"]
    match = new_message_id()
    with stopwatch() as seconds:
        amqp.publish(url, asked, key=PROCESS_QUEUE)
        drivers.send_by_queue(lab, [(match, drivers.PLAIN)])
        drivers.wait_for_receipts(lab, [match])
        took = seconds()
    dead = drivers.dead_letters(lab, ids).values()
    evidence("seconds until the match behind 20 of them was stored", took)
    evidence("dead letters, by reason", Counter(each.reason for each in dead))
    evidence("the words", sorted({each.detail for each in dead}))
    _discard(lab, ids)
    assert took < 30
    assert {each.reason for each in dead} == {"unknown-task"}
    assert {each.queue for each in dead} == {PROCESS_QUEUE}
    assert all(f"hello is taken from {LEARN_QUEUE} only" in each.detail for each in dead)


def test_an_older_sender_is_understood(lab: Lab, evidence: Evidence) -> None:
    """Messages of the earlier system, protocol 1 and the field set of then, are simply stored.

    They have no headers, and nothing in them says when the match was seen; so their arrival counts.
    """
    messages = [p for p in foreign.messages(random.Random(41), 41) if p.expect == foreign.EFFECT]
    for message in messages:
        foreign.send(message, lab.endpoints.broker_urls["admin"], lab.ledger)
    ids = [each.message_id for each in messages]
    drivers.wait_for_receipts(lab, ids)
    receipts = drivers.receipts(lab, ids)
    shown_fields = ("message_id", "effect", "observed_from")
    evidence("body", messages[0].body.decode())
    evidence("headers", dict(messages[0].properties.get("headers", {})))
    for each in receipts:
        evidence("receipt", {name: each[name] for name in shown_fields})
    assert {each["effect"] for each in receipts} == {"created"}
    assert {each["observed_from"] for each in receipts} == {"arrival"}


def test_a_newer_sender_waits_for_its_consumer(lab: Lab, evidence: Evidence) -> None:
    """A field that the consumer does not know is refused in words; once learned, it is replayed.

    The sender goes by version 3.0 of the contract and sends a `referee`. Then a worker of that
    version is in place, and the operator replays what had died. Every message keeps its id.
    """
    sender = _sender(lab, "newer", NEWER)
    page = saved_pages.save_page(lab, sender.moment, 3)
    run = sender.scrape([page])
    ids = sender.ids()
    dead = drivers.dead_letters(lab, ids)
    early = drivers.receipts(lab, ids)
    newer = "system.tests.weakened.newer_contract"
    settings = {
        "MISSING_TABLE_SINK": "database",
        "MISSING_TABLE_DATABASE_URL": lab.endpoints.database_url,
    }
    with in_place_of_the_worker(lab, "worker-newer", settings, wrapper=newer):
        kept = operator.dead_letters(lab, "replay", *operator.by_id(ids))
        replayed = _replay(lab, ids, "--force")
        drivers.wait_for_receipts(lab, ids)
        older = _sender(lab, "older-beside-newer", {})
        older.scrape([page])
        drivers.wait_for_receipts(lab, older.ids())
    receipts = drivers.receipts(lab, ids)
    evidence("the sender: messages by way", run.output["accepted_by_way"])
    evidence("the worker, at 2.0: dead letters by reason", Counter(d.reason for d in dead.values()))
    evidence("the words", dead[ids[0]].detail)
    evidence("the operator's tool, at 2.0", kept.stdout.splitlines()[-1])
    evidence("the operator, who knows of the worker at 3.0", replayed[-1])
    evidence("the worker, at 3.0: receipts under the same ids", len(receipts))
    evidence("the worker, at 3.0: receipts of a sender at 2.0", len(older.ids()))
    evidence("dead letters left", len(operator.list_dead_letters(lab, ids)))
    assert {each.reason for each in dead.values()} == {"invalid"}
    assert all("referee = 'Jo Doe': is not a field" in each.detail for each in dead.values())
    assert early == []
    assert len(receipts) == len(ids) > 0
    assert operator.list_dead_letters(lab, ids) == []


def test_every_dead_letter_says_what_is_wrong(lab: Lab, evidence: Evidence) -> None:
    """Each kind of broken message is dead-lettered with its reason, can be shown, and dies again.

    A replay without a repair is refused by the tool, with the fault. Forced, it changes nothing:
    the message comes back, under its id, and the replay is counted.
    """
    messages = [p for p in foreign.messages(random.Random(42), 42) if p.expect != foreign.EFFECT]
    for message in messages:
        foreign.send(message, lab.endpoints.broker_urls["admin"], lab.ledger)
    dead = drivers.dead_letters(lab, [each.message_id for each in messages])
    for message in messages:
        letter = dead[message.message_id]
        evidence(message.kind, f"{letter.reason}: {letter.detail}")
    ids = [each.message_id for each in messages]
    example = ids[0]
    shown = operator.dead_letters(lab, "show", example)
    kept = operator.dead_letters(lab, "replay", *operator.by_id([example]))
    replayed = _replay(lab, [example], "--force")
    drivers.dead_letters(lab, [example])
    (again,) = operator.list_dead_letters(lab, [example])
    evidence("`show` says", shown.stdout.splitlines()[0])
    evidence("`replay` says", kept.stdout.splitlines()[0])
    evidence("`replay --force` says", replayed[0])
    evidence("after the replay", {name: again[name] for name in ("reason", "replays")})
    _discard(lab, ids)
    assert all(dead[each].reason in ("invalid", "unreadable", "unknown-task") for each in ids)
    assert all(dead[each].detail for each in ids)
    assert example in shown.stdout
    assert dead[example].detail in shown.stdout
    assert kept.code == 1
    assert "would die again" in kept.stdout
    assert (again["message_id"], again["replays"]) == (example, 1)
    assert again["reason"] == dead[example].reason


@needs(SharesLoopback)  # the gateway is in this process
def test_a_repaired_cause_brings_the_dead_back(lab: Lab, evidence: Evidence) -> None:
    """What was refused on the way to the API is replayed without the cause, and takes effect once.

    For a while there is a gateway in front of the API, and a rule in it forbids matches.
    """
    sender = _sender(lab, "gateway", {})
    with (
        refusing_gateway() as url,
        in_place_of_the_worker(lab, "worker-gateway", {"MISSING_TABLE_API_URL": url}),
    ):
        sender.scrape([saved_pages.save_page(lab, sender.moment, 3)])
        dead = drivers.dead_letters(lab, sender.ids())
        early = drivers.receipts(lab, sender.ids())
    ids = sender.ids()
    replayed = _replay(lab, ids)
    drivers.wait_for_receipts(lab, ids)
    receipts = drivers.receipts(lab, ids)
    evidence("dead letters, by reason", Counter(each.reason for each in dead.values()))
    evidence("the words", dead[ids[0]].detail)
    evidence("receipts before the repair", len(early))
    evidence("the operator", replayed[-1])
    evidence("receipts under the same ids", len(receipts))
    evidence("dead letters left", len(operator.list_dead_letters(lab, ids)))
    assert {each.reason for each in dead.values()} == {"refused"}
    assert gateway.REFUSAL in dead[ids[0]].detail
    assert early == []
    assert len(receipts) == len(ids) > 0
    assert operator.list_dead_letters(lab, ids) == []


def _sender(lab: Lab, name: str, drift: dict[str, Any], *, user: str = "scraper") -> Sender:
    """A scraper that has only the queue."""
    settings = {**NO_API, "MISSING_TABLE_BROKER_URL": lab.endpoints.broker_urls[user]}
    return Sender(lab, name, lab.season.moments(5)[0], settings, drift)


def _replay(lab: Lab, ids: list[str], *words: str) -> list[str]:
    """Send dead letters again; return the lines that the tool printed."""
    output = operator.dead_letters(lab, "replay", *words, *operator.by_id(ids))
    assert output.code == 0, output
    assert output.stdout.splitlines()[-1] == f"{len(ids)} replayed"
    return output.stdout.splitlines()


def _discard(lab: Lab, ids: list[str]) -> None:
    """Leave the dead letters as they were found."""
    output = operator.dead_letters(lab, "discard", "--to", "discarded.jsonl", *operator.by_id(ids))
    assert output.code == 0, output
