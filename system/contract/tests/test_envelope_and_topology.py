"""What goes on the wire, and what the broker is told to hold."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from datetime import UTC, datetime

from system.contract import envelope, topology
from system.contract import match as contract
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
    assert wrapped.headers["eta"] is None


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
    made = topology.definitions([])
    names = {queue["name"] for queue in made["queues"]}
    assert names == {binding["destination"] for binding in made["bindings"]}
    assert all(q["arguments"] == {"x-queue-type": "quorum"} for q in made["queues"])
    assert all(p["definition"]["overflow"] == "reject-publish" for p in made["policies"])
    assert all(p["definition"]["max-length"] > 0 for p in made["policies"])


def test_each_policy_is_for_one_queue_exactly() -> None:
    made = topology.definitions([])
    for policy in made["policies"]:
        fits = [q["name"] for q in made["queues"] if re.search(policy["pattern"], q["name"])]
        assert fits == [policy["name"]]


def test_work_that_is_given_up_goes_to_the_dead_letter_exchange_at_least_once() -> None:
    policies = {p["name"]: p["definition"] for p in topology.definitions([])["policies"]}
    for queue in topology.WORK_QUEUES:
        assert policies[queue]["dead-letter-exchange"] == topology.DEAD_LETTER_EXCHANGE
        assert policies[queue]["dead-letter-strategy"] == "at-least-once"
        assert policies[queue]["delivery-limit"] == topology.DELIVERY_LIMIT


def test_a_retry_goes_back_to_work_when_its_time_is_over() -> None:
    policies = {p["name"]: p["definition"] for p in topology.definitions([])["policies"]}
    for delay_s in topology.RETRY_DELAYS_S:
        policy = policies[topology.retry_queue(delay_s)]
        assert policy["message-ttl"] == delay_s * 1000
        assert policy["dead-letter-exchange"] == topology.EXCHANGE
        assert policy["dead-letter-routing-key"] == topology.PROCESS_QUEUE


def test_passwords_are_in_the_definitions_as_salted_hashes_only() -> None:
    made = topology.definitions([topology.scraper("secret")])
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
        there = topology.definitions([quiet], events=events)
        return {each["name"] for each in there["exchanges"]}

    assert names(events=True) - names(events=False) == {topology.EVENTS_EXCHANGE}
