"""What goes on the wire, and what the broker is told to hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime

from system.contract import envelope, topology
from system.contract import match as contract
from system.contract.definitions import definitions
from system.contract.tests.samples import OURS

NOW = datetime(2025, 10, 19, 18, 0, tzinfo=UTC)


def _wrapped() -> envelope.Envelope:
    return envelope.wrap(contract.parse(OURS), message_id="m-1", published_at=NOW)


def test_an_envelope_is_a_celery_protocol_2_message() -> None:
    wrapped = _wrapped()
    args, kwargs, options = json.loads(wrapped.body)
    assert args == [OURS | {"observed_at": "2025-10-19T18:00:00Z"}]
    assert kwargs == {}
    assert set(options) == {"callbacks", "errbacks", "chain", "chord"}
    assert wrapped.headers["task"] == envelope.PROCESS_TASK
    assert wrapped.headers["id"] == wrapped.message_id == "m-1"
    assert wrapped.headers["root_id"] == "m-1"
    assert {"lang", "parent_id", "group"} <= wrapped.headers.keys()
    # These may be left out, cost time in each delivery, and never pass the gate.
    optional = {"eta", "expires", "retries", "timelimit", "argsrepr", "kwargsrepr"}
    assert not optional & wrapped.headers.keys()


def test_it_says_when_it_was_published_and_which_attempt_it_is() -> None:
    wrapped = _wrapped()
    assert wrapped.published_at == NOW
    assert wrapped.attempt == 1
    later = wrapped.for_attempt(3)
    assert (later.attempt, later.message_id, later.body) == (3, "m-1", wrapped.body)


def test_a_dead_letter_keeps_what_it_was_and_says_why() -> None:
    headers = envelope.dead_headers(
        _wrapped().headers, reason="invalid", detail="x" * 9999, where="w", queue="q", at=NOW
    )
    assert headers["task"] == envelope.PROCESS_TASK
    assert envelope.reason_of(headers) == "invalid"
    assert len(headers[envelope.DEAD_DETAIL]) == envelope.DETAIL_MAX


def test_the_brokers_own_newest_reason_counts_where_ours_is_missing() -> None:
    deaths = [{"reason": "delivery_limit"}, {"reason": "expired"}]
    assert envelope.reason_of({"x-death": deaths}) == "delivery_limit"
    assert envelope.reason_of({}) == "unknown"


def test_every_queue_is_a_bounded_quorum_queue_with_its_binding() -> None:
    made = definitions([])
    names = {queue["name"] for queue in made["queues"]}
    bound = [b["destination"] for b in made["bindings"] if b["destination_type"] == "queue"]
    assert names == set(bound)
    assert all(q["arguments"] == {"x-queue-type": "quorum"} for q in made["queues"])
    limits = [p["definition"] for p in made["policies"] if p["apply-to"] == "queues"]
    assert len(limits) == len(names)
    assert all(each["overflow"] == "reject-publish" for each in limits)
    assert all(each["max-length"] > 0 for each in limits)


def test_each_policy_is_for_one_queue_or_exchange_exactly() -> None:
    made = definitions([])
    for policy in made["policies"]:
        there = made[policy["apply-to"]]
        fits = [each["name"] for each in there if re.search(policy["pattern"], each["name"])]
        assert fits == [policy["name"].removesuffix(".alternate")]


def test_what_senders_publish_to_has_an_alternate_exchange_that_keeps_it() -> None:
    for exchange in (topology.EXCHANGE, topology.FANOUT_EXCHANGE):
        way = [exchange]
        while way[-1] in topology.ALTERNATES:
            way.append(topology.ALTERNATES[way[-1]])
        assert way[-1] == topology.UNROUTABLE_EXCHANGE


def test_what_our_own_publisher_sends_is_marked_to_be_returned() -> None:
    (aside,) = (b for b in topology.BINDINGS if b.source == topology.ALTERNATE_EXCHANGE)
    assert aside.arguments["x-match"] == "all"
    assert topology.RETURN_MARK.items() <= aside.arguments.items()
    assert topology.RETURN_MARK.items() <= dict(_wrapped().headers).items()
    onward = [b for b in topology.BINDINGS if b.source == aside.destination]
    assert onward == []  # it is in no queue, so the broker returns it


def test_a_letter_that_comes_from_its_senders_exchange_was_unroutable() -> None:
    for exchange in (topology.EXCHANGE, topology.FANOUT_EXCHANGE):
        assert envelope.reason_of({}, exchange) == "unroutable"
    deaths = [{"reason": "delivery_limit"}]
    assert (
        envelope.reason_of({"x-death": deaths}, topology.DEAD_LETTER_EXCHANGE) == "delivery_limit"
    )
    legacy = next(iter(envelope.LEGACY_TASKS))
    assert envelope.queue_for(legacy, "") == topology.PROCESS_QUEUE
    assert envelope.queue_for(legacy, topology.LEARN_QUEUE) == topology.LEARN_QUEUE
    assert envelope.queue_for("nobody.knows", "nowhere") == ""


def test_work_that_is_given_up_goes_to_the_dead_letter_exchange_at_least_once() -> None:
    policies = {p["name"]: p["definition"] for p in definitions([])["policies"]}
    for queue in topology.WORK_QUEUES:
        assert policies[queue]["dead-letter-exchange"] == topology.DEAD_LETTER_EXCHANGE
        assert policies[queue]["dead-letter-strategy"] == "at-least-once"
        assert policies[queue]["delivery-limit"] == topology.DELIVERY_LIMIT


def test_a_retry_goes_back_to_work_when_its_time_is_over() -> None:
    policies = {p["name"]: p["definition"] for p in definitions([])["policies"]}
    for delay_s in topology.RETRY_DELAYS_S:
        policy = policies[topology.retry_queue(delay_s)]
        assert policy["message-ttl"] == delay_s * 1000
        assert policy["dead-letter-exchange"] == topology.EXCHANGE
        assert policy["dead-letter-routing-key"] == topology.PROCESS_QUEUE


def test_passwords_are_in_the_definitions_as_salted_hashes_only() -> None:
    made = definitions([topology.scraper("secret")])
    assert "secret" not in json.dumps(made)
    raw = base64.b64decode(made["users"][0]["password_hash"])
    assert raw[4:] == hashlib.sha256(raw[:4] + b"secret").digest()


def _may(pattern: str, name: str) -> bool:
    return re.search(pattern, name) is not None


def test_each_user_may_do_what_its_role_needs_and_no_more() -> None:
    scraper, worker = topology.scraper("x"), topology.worker("x")
    assert _may(scraper.write, topology.EXCHANGE)
    assert not _may(scraper.write, topology.DEAD_LETTER_EXCHANGE)
    assert not any(_may(scraper.read, queue.name) for queue in topology.QUEUES)
    assert all(_may(worker.read, queue) for queue in topology.WORK_QUEUES)
    assert not _may(worker.read, topology.DEAD_LETTER_QUEUE)
    assert not _may(worker.write, topology.EXCHANGE)
    earlier = topology.earlier_sender("x")
    assert all(
        _may(right, topology.FANOUT_EXCHANGE) for right in (earlier.configure, earlier.write)
    )
    for name in {*topology.EXCHANGES, *(q.name for q in topology.QUEUES)} - {
        topology.FANOUT_EXCHANGE
    }:
        assert not any(_may(r, name) for r in (earlier.configure, earlier.write, earlier.read))
    assert not _may(scraper.write, topology.FANOUT_EXCHANGE)
    operator = topology.operator("x")
    assert all(_may(operator.read, queue.name) for queue in topology.QUEUES)
    monitor = topology.monitor("x")
    assert not any(_may(monitor.read, queue.name) for queue in topology.QUEUES)
    assert not any(_may(monitor.write, name) for name in (*topology.EXCHANGES, "celeryev"))
    for user in (scraper, worker, operator, monitor):
        assert not _may(user.configure, topology.EXCHANGE)


def test_events_are_there_and_may_be_sent_only_where_they_are_asked_for() -> None:
    quiet, telling = topology.worker("x"), topology.worker("x", events=True)
    assert not _may(quiet.write, topology.EVENTS_EXCHANGE)
    assert _may(telling.write, topology.EVENTS_EXCHANGE)
    for name in (*topology.EXCHANGES, *(queue.name for queue in topology.QUEUES), "celeryev.1"):
        assert _may(telling.write, name) == _may(quiet.write, name)
    assert (telling.configure, telling.read) == (quiet.configure, quiet.read)

    monitor = topology.monitor("x")
    assert _may(monitor.read, topology.EVENTS_EXCHANGE)
    assert all(_may(right, "celeryev.1") for right in (monitor.configure, monitor.write))
    assert not _may(monitor.configure, topology.EVENTS_EXCHANGE)

    def names(events: bool) -> set[str]:
        there = definitions([quiet], events=events)
        return {each["name"] for each in there["exchanges"]}

    assert names(events=True) - names(events=False) == {topology.EVENTS_EXCHANGE}


def test_no_exchange_is_internal_for_the_brokers_metrics_leave_those_out() -> None:
    """The alert on an exchange that is gone would fire for ever on one that has no metric."""
    assert {each["internal"] for each in definitions([])["exchanges"]} == {False}
