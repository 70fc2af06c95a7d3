"""Phase 3: backend integration.

What the backend promises to a sender of matches: by which entry point they come, how often, and in
which order makes no difference. What happens while a part is unavailable comes in the second half,
`test_phase3_failures`.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

import pytest

from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence
from lab.substrates.abilities import Scalable
from lab.substrates.plan import Role
from scenarios.support import breaches, drivers, hello
from scenarios.support.drivers import PLAIN
from system.contract.envelope import new_message_id
from system.contract.topology import DEAD_LETTER_QUEUE

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

PLAN = {"workers": 1, "concurrency": 2}
WORKERS, OBSERVATIONS = 4, 400
DAY = datetime(2025, 10, 18, 16, 0, tzinfo=UTC)


def test_a_match_is_processed_and_its_receipt_is_the_result(lab: Lab, evidence: Evidence) -> None:
    """`process_match_data` stores a match; its receipt is the truth, and no result is kept.

    The sender even asks for a result. Nothing appears in Redis: the way of a match must not need
    it. The receipt was written in the same transaction as the match, so it cannot be wrong.
    """
    message_id = new_message_id()
    match = PLAIN | {"external_match_id": "t-1"}
    with hello.results(lab) as client:
        keys_before = client.dbsize()
        drivers.send_by_queue(lab, [(message_id, match)], wants_result=True)
        drivers.wait_for_receipts(lab, [message_id])
        with hello.no_worker(lab):  # it has finished its tasks: nothing more can come
            result, keys_after = client.get(hello.key(message_id)), client.dbsize()
    (receipt,) = drivers.receipts(lab, [message_id])
    (stored,) = drivers.matches(lab, "t-1")
    reported = ("effect", "way", "attempt", "match_id", "identity")
    evidence("message", message_id)
    evidence("its receipt", {name: receipt[name] for name in reported})
    evidence("the stored match", {name: stored[name] for name in ("id", "status", "home_score")})
    evidence("its result in Redis", result)
    evidence("keys in Redis, before and after", [keys_before, keys_after])
    assert (receipt["effect"], receipt["way"], receipt["attempt"]) == ("created", "queue", 1)
    assert receipt["match_id"] == stored["id"]
    assert (stored["status"], stored["home_score"]) == ("completed", 2)
    assert result is None
    assert keys_after == keys_before


def test_a_validation_is_answered_and_changes_nothing(lab: Lab, evidence: Evidence) -> None:
    """`validate_match_data` answers its caller through Redis, and leaves no trace elsewhere.

    Asked about a good match and about one with three broken rules: the answer names all three.
    """
    before = _traces(lab)
    good = PLAIN | {"external_match_id": "t-2"}
    bad = good | {"home_score": -1, "match_time": "25:00", "referee": "nobody knows"}
    fine, refused = drivers.validate(lab, [good, bad])
    evidence("a good match", fine)
    for violation in refused["violations"]:
        evidence(f"a bad match: {violation['field']}", violation)
    evidence("receipts, matches, dead letters, before", before)
    evidence("receipts, matches, dead letters, after", after := _traces(lab))
    assert fine == {"valid": True, "violations": []}
    assert refused["valid"] is False
    assert {each["field"] for each in refused["violations"]} == {
        "home_score",
        "match_time",
        "referee",
    }
    assert after == before


def test_the_three_entry_points_agree_about_every_rule(lab: Lab, evidence: Evidence) -> None:
    """Each rule of the contract is refused at all three entry points, by field, value and rule.

    One message for each rule, derived from the schema itself, each broken in just one way. It goes
    to `validate_match_data`, which answers; to `process_match_data`, which dead-letters; and to
    the API, which says 422. The match that they all vary passes all three.
    """
    broken = breaches.broken_rules(PLAIN)
    ids = [new_message_id() for _ in broken]
    messages = [(id_, each.match) for id_, each in zip(ids, broken, strict=True)]
    drivers.send_by_queue(lab, messages)
    answers = drivers.validate(lab, [each.match for each in broken])
    posted = [drivers.send_by_http(lab, message) for message in messages]
    dead = drivers.dead_letters(lab, ids)
    disagreements = []
    for (id_, _), each, answer, post in zip(messages, broken, answers, posted, strict=True):
        disagreements += breaches.disagreements(each, answer, post, dead[id_])
    control = new_message_id(), PLAIN | {"external_match_id": "t-3"}
    drivers.send_by_queue(lab, [control])
    drivers.wait_for_receipts(lab, [control[0]])
    passed = drivers.validate(lab, [control[1]])[0]["valid"], drivers.send_by_http(lab, control)[0]
    evidence("rules broken, each by one message", len(broken))
    evidence("validate: answered valid", sum(each["valid"] for each in answers))
    evidence(
        "process: dead letters, by reason", dict(Counter(each.reason for each in dead.values()))
    )
    evidence("the API: answers, by status", dict(Counter(str(status) for status, _ in posted)))
    evidence("places where the entry points disagree", disagreements)
    for at in range(0, len(broken), 9):
        evidence(broken[at].rule, dead[ids[at]].detail)
    evidence("the match without a fault: validate, API", list(passed))
    assert len(broken) > 50
    assert disagreements == []
    assert drivers.receipts(lab, ids) == []
    assert passed == (True, HTTPStatus.OK)


@pytest.mark.parametrize("way", ["by queue", "by HTTP", "by both at once"])
def test_a_message_takes_effect_once(way: str, lab: Lab, evidence: Evidence) -> None:
    """The same message, delivered 1, 2 or 10 times, has one effect and one receipt.

    Every delivery but the first gets DUPLICATE: in the answer of the API, or in the log of the
    worker. In the end the message is posted once more, to hear it from the API itself.
    """
    for times in (1, 2, 10):
        identity = f"{way.replace(' ', '-').lower()}-{times}"
        message = new_message_id(), PLAIN | {"external_match_id": identity}
        queued = {"by queue": times, "by HTTP": 0, "by both at once": times}[way]
        posted = times - queued if way != "by both at once" else times
        with ThreadPoolExecutor(4) as pool:
            answers = [pool.submit(drivers.send_by_http, lab, message) for _ in range(posted)]
            drivers.send_by_queue(lab, [message] * queued)
            effects = [each.result()[1]["effect"] for each in answers]
        if queued:
            lines = drivers.wait_for_log_lines(lab, [message[0]], queued)
            effects += [line.effect for line in lines]
        once_more = drivers.send_by_http(lab, message)
        written = drivers.receipts(lab, [message[0]])
        (stored,) = drivers.matches(lab, identity)
        evidence(f"{times} times: deliveries, by effect", dict(Counter(effects)))
        evidence(f"{times} times: receipts", [each["effect"] for each in written])
        assert Counter(effects) == Counter(created=1, duplicate=queued + posted - 1)
        assert once_more[0] == HTTPStatus.OK
        assert once_more[1]["effect"] == "duplicate"
        assert [each["effect"] for each in written] == ["created"]
        assert stored["created_by"] == stored["changed_by"] == message[0]
        assert stored["updated_at"] == stored["created_at"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """An observation: its name, when it was made, and what it says."""

    name: str
    at: datetime
    says: dict[str, Any]

    def of(self, identity: str) -> drivers.Message:
        """The observation as a message about one match."""
        fields = {"external_match_id": identity, "observed_at": self.at.isoformat(), **self.says}
        return f"{identity}.{self.name}", PLAIN | fields


_NO_SCORES = {"home_score": None, "away_score": None}
_STORY = (
    Sighting("1", DAY - timedelta(days=2), {"match_status": "scheduled", **_NO_SCORES}),
    Sighting("2", DAY, {"match_status": "live", "home_score": 1, "away_score": 0}),
    # Two pages were read in the same instant: then the greater message id is the newer one.
    Sighting("3", DAY + timedelta(hours=2), {"home_score": 2, "away_score": 2}),
    Sighting("4", DAY + timedelta(hours=2), {"home_score": 3, "away_score": 2}),
)


def test_any_order_of_arrival_ends_in_the_newest(lab: Lab, evidence: Evidence) -> None:
    """Four observations of a match, arriving in any of their 24 orders, end in the newest one.

    Each order is a match of its own. All that come first are sent, then, once they have taken
    effect, all that come second, and so on; so each really arrives in its order. What each message
    must do is worked out beforehand: create, update, or, coming too late, nothing.
    """
    orders = {
        "order-" + "".join(each.name for each in order): order
        for order in itertools.permutations(_STORY)
    }
    for place in range(len(_STORY)):
        wave = [order[place].of(identity) for identity, order in orders.items()]
        drivers.send_by_queue(lab, wave)
        drivers.wait_for_receipts(lab, [message_id for message_id, _ in wave])
    ids = [seen.of(identity)[0] for identity, order in orders.items() for seen in order]
    effects = {each["message_id"]: each["effect"] for each in drivers.receipts(lab, ids)}
    ends = {
        each["identity"]: (each["status"], each["home_score"], each["message_id"])
        for each in drivers.matches(lab, "order-%")
    }
    for identity in ("order-1234", "order-2413", "order-4321"):
        evidence(identity, [effects[seen.of(identity)[0]] for seen in orders[identity]])
    evidence(
        "matches, by the score they end with",
        dict(Counter(f"{each[1]} : 2" for each in ends.values())),
    )
    evidence("messages, by effect", dict(Counter(effects.values())))
    assert ends == {identity: ("completed", 3, f"{identity}.4") for identity in orders}
    for identity, order in orders.items():
        reported = [effects[seen.of(identity)[0]] for seen in order]
        assert reported == list(_expected(order)), identity


def test_the_newest_wins_among_many_workers(lab: Lab, evidence: Evidence) -> None:
    """Four workers write hundreds of observations of one match at once, and the newest wins.

    Eight children fight for one row. None fails, PostgreSQL counts no deadlock, and the receipts
    show one creation; everything else updated, changed nothing, or came too late.
    """
    assert isinstance(lab.substrate, Scalable)
    rng = random.Random(lab.plan.seed)
    messages = [
        (
            f"crowd.{number:03}",
            PLAIN
            | {
                "external_match_id": "crowd",
                "observed_at": (DAY + timedelta(seconds=number // 2)).isoformat(),
                "home_score": number // 20,  # mostly the same as in the observation before
            },
        )
        for number in range(OBSERVATIONS)
    ]
    ids = [message_id for message_id, _ in messages]
    newest = messages[-1]
    # Roughly in order, as pages are read, so that every effect is seen often.
    messages.sort(key=lambda each: int(each[0].partition(".")[2]) + rng.uniform(0, 40))
    deadlocks = _deadlocks(lab)
    lab.substrate.scale(Role.WORKER, WORKERS)
    try:
        drivers.send_by_queue(lab, messages)
        drivers.wait_for_receipts(lab, ids, within_s=120)
        lines = drivers.wait_for_log_lines(lab, ids, OBSERVATIONS)
    finally:
        lab.substrate.scale(Role.WORKER, 1)
    effects = Counter(each["effect"] for each in drivers.receipts(lab, ids))
    (stored,) = drivers.matches(lab, "crowd")
    by_worker = Counter(line.worker for line in lines)
    evidence("observations, by the worker that applied them", dict(by_worker))
    evidence("receipts, by effect", dict(effects))
    evidence("newest observation", newest[0])
    evidence("the match shows", stored["message_id"])
    evidence("deadlocks that PostgreSQL counted", _deadlocks(lab) - deadlocks)
    evidence("attempts that failed", len(drivers.log_lines(lab, ids, "failed")))
    assert len(by_worker) == WORKERS
    assert effects["created"] == 1
    assert effects.keys() == {"created", "updated", "unchanged", "stale"}
    assert effects.total() == OBSERVATIONS
    assert (stored["message_id"], stored["home_score"]) == (newest[0], newest[1]["home_score"])
    assert _deadlocks(lab) == deadlocks


def _expected(order: Iterable[Sighting]) -> Iterable[str]:
    """The effect of each observation, in the order in which they arrive."""
    newest = (datetime.min.replace(tzinfo=UTC), "")
    for place, seen in enumerate(order):
        if (seen.at, seen.name) < newest:
            yield "stale"
            continue
        newest = seen.at, seen.name
        yield "updated" if place else "created"


def _traces(lab: Lab) -> list[int]:
    """How many receipts, matches and dead letters there are."""
    (counted,) = drivers.rows(
        lab,
        "SELECT (SELECT count(*) FROM receipts) AS receipts,"
        " (SELECT count(*) FROM matches) AS matches",
    )
    return [*counted.values(), lab.ledger.depths()[DEAD_LETTER_QUEUE]]


def _deadlocks(lab: Lab) -> int:
    """How often PostgreSQL had to end a transaction because of a deadlock."""
    (counted,) = drivers.rows(
        lab, "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
    )
    return int(counted["deadlocks"])
