"""Messages come twice, late, broken, or more often than anybody can take them."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import Any

from pika.adapters.blocking_connection import BlockingChannel

from lab.clients import amqp
from lab.errors import NotWithin
from lab.experiment.lab import Lab
from lab.sabotage.scene import scene
from lab.sabotage.scenes.doing import AS_IT_IS, SOON_S, none_waits, scrape, send, waiting
from lab.wait import eventually
from lab.workload import foreign
from system.contract.envelope import ATTEMPT
from system.contract.reasons import Reason
from system.contract.topology import DEAD_LETTER_QUEUE, DELIVERY_LIMIT, EXCHANGE, PROCESS_QUEUE

AT_ONCE = "what breaks the contract is given up at its first attempt"
KEPT = "what waits is kept on disk"
GIVEN_UP = "what nobody can take is given up"
_PERSISTENT = 2
_MORE = 5
_GONE_S = 3.0
_LONG_S = 3.0
"""Nothing may be dropped because it waits, however fast a worker is back."""
_CHANCES = 10
"""To be in one of the two queues: a broker may stand still for longer than `_GONE_S`."""
_PLAYED: dict[str, Any] = {"home_score": 2, "away_score": 1, "match_status": "completed"}


@scene(AS_IT_IS)
def the_same_message_comes_twice(lab: Lab) -> None:
    """As after every redelivery; here just sent twice under one id."""
    for number in range(5):
        once = lab.send(external_match_id=f"twice-{number}")
        lab.send(external_match_id=f"twice-{number}", message_id=once)
    none_waits(lab)


@scene(AS_IT_IS)
def an_older_observation_comes_late(lab: Lab) -> None:
    """The result first, and then a page that was read two days before."""
    lab.send(external_match_id="late", observed_at="2025-10-19T20:00:00Z", **_PLAYED)
    lab.settle()
    lab.send(external_match_id="late", observed_at="2025-10-17T20:00:00Z", match_status="scheduled")


@scene(AS_IT_IS)
def two_observations_have_the_same_time(lab: Lab) -> None:
    """One after the other, in both orders of their ids: the greater id wins."""
    at = datetime(2025, 10, 19, 20, tzinfo=UTC).isoformat()
    for number, scores in enumerate(((1, 2), (2, 1), (3, 4), (4, 3), (5, 6), (6, 5))):
        match = f"same-{number // 2}"
        given = {**_PLAYED, "home_score": scores[0], "away_score": scores[1]}
        first = f"{match}-{'ba'[number % 2] if number < 4 else 'ab'[number % 2]}"
        lab.send(external_match_id=match, observed_at=at, message_id=first, **given)
        lab.settle()


@scene(AS_IT_IS)
def broken_messages_come(lab: Lab) -> None:
    """Messages that no task can take, and matches that break the contract, among good ones."""
    send(lab, "among-broken", 1)
    lab.send_foreign(0)
    lab.settle()
    tried = _attempts_of_invalid(lab)
    most = max(tried, default=0)
    detail = f"{len(tried)} were given up, after {most} attempts at most"
    lab.check(AT_ONCE, ok=most == 1, detail=detail)


@scene(AS_IT_IS)
def kickoffs_come_that_no_clock_shows(lab: Lab) -> None:
    """In the night in which clocks go forward: each field is right, and the match is not.

    The contract alone knows. Where other rules across fields are left out the database refuses, and
    such a match waits until its backend is repaired (docs/decisions/0016): undecided, as it should.
    """
    send(lab, "beside-no-kickoff", 1)
    for message in foreign.skipped_by_clocks(lab.rng):
        foreign.send(message, lab.endpoints.broker_urls["admin"], lab.ledger)


@scene(AS_IT_IS)
def no_json_comes(lab: Lab) -> None:
    """A message whose body is not what its content type says."""
    send(lab, "beside-no-json", 1)
    _send_broken(lab)


@scene(AS_IT_IS)
def a_message_is_given_back_again_and_again(lab: Lab) -> None:
    """Until the broker gives it up. The lab is its only consumer, and takes it away afterwards.

    So it is no message of the run: a dead letter by the broker has no reason of ours.
    """
    send(lab, "beside-poison", 1)
    lab.settle()  # nothing else may be in the queue
    poison = str(uuid.UUID(int=lab.rng.getrandbits(128), version=4))
    with (
        lab.fault("worker-terminated"),
        amqp.channel(lab.endpoints.broker_urls["admin"]) as on,
    ):
        on.confirm_delivery()
        given = {"message_id": poison, "content_type": "application/json"}
        amqp.send(on, b"poison", exchange=EXCHANGE, key=PROCESS_QUEUE, properties=given)
        times, chances, dead = 0, _CHANCES, False
        while times <= DELIVERY_LIMIT + _MORE and chances and not dead:
            if _given_back(on):
                times += 1
            else:
                chances -= 1
                dead = _taken(on, DEAD_LETTER_QUEUE, poison)
        left = _taken(on, PROCESS_QUEUE, poison)
    lab.check(
        GIVEN_UP,
        ok=dead,
        detail=f"given back {times} times, {'' if dead else 'not '}dead-lettered"
        + (", still in its queue" if left else ""),
    )


@scene(AS_IT_IS)
def pages_are_read_while_no_worker_is_there(lab: Lab) -> None:
    """The scraper's messages wait, until a worker starts."""
    with lab.fault("worker-killed"):
        scrape(lab)
        eventually("messages to wait", lambda: waiting(lab), within_s=SOON_S)
        with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
            _, properties, _ = on.basic_get(PROCESS_QUEUE)  # goes back when the channel closes
        mode = properties.delivery_mode if properties else None
        lab.check(KEPT, ok=mode == _PERSISTENT, detail=f"delivery mode {mode}")
        lab.run_for(_LONG_S)


def _send_broken(lab: Lab) -> str:
    messages = {each.kind: each for each in foreign.messages(lab.rng, 2)}
    broken = messages["bytes that are no JSON"]
    foreign.send(broken, lab.endpoints.broker_urls["admin"], lab.ledger)
    return broken.message_id


def _given_back(on: BlockingChannel) -> bool:
    """Take a message and give it back; whether there was one, soon."""
    try:
        method = eventually(
            "a message", lambda: on.basic_get(PROCESS_QUEUE)[0], within_s=_GONE_S, every_s=0.01
        )
    except NotWithin:
        return False
    on.basic_nack(method.delivery_tag, requeue=True)
    return True


def _taken(on: BlockingChannel, queue: str, message_id: str) -> bool:
    """Take a message out of a queue; whether it was there, soon. All others stay."""

    def look() -> bool:
        others = []
        try:
            while True:
                method, properties, _ = on.basic_get(queue)
                if method is None:
                    return False
                if properties is not None and properties.message_id == message_id:
                    on.basic_ack(method.delivery_tag)
                    return True
                others.append(method.delivery_tag)
        finally:
            for tag in others:
                on.basic_nack(tag, requeue=True)

    try:
        return eventually("it to be there", look, within_s=_GONE_S, every_s=0.5)
    except NotWithin:
        return False


def _attempts_of_invalid(lab: Lab) -> list[int]:
    """At which attempt each dead letter that breaks the contract was given up."""
    found: list[int] = []
    with amqp.channel(lab.endpoints.broker_urls["operator"]) as on:
        while True:  # what is not acknowledged goes back when the channel closes
            method, properties, _ = on.basic_get(DEAD_LETTER_QUEUE)
            if method is None or properties is None:
                return found
            headers = properties.headers or {}
            if headers.get("dead_reason") in (Reason.INVALID, Reason.EXHAUSTED):
                found.append(int(headers.get(ATTEMPT, 1)))
