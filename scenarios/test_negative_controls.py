"""Known ways in which Celery and RabbitMQ lose, double or hold up messages, each tried out twice.

With its guard in place the system keeps every law; without it, the audit names the law that broke,
or the check that is about it is red. Where several experiments need the same system, they share it.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from lab.checker.verdict import Verdict
from lab.clients import amqp
from lab.errors import NotWithin
from lab.experiment.lab import Lab
from lab.experiment.plugin import OpenLab
from lab.faults import registry
from lab.substrates.abilities import Killable, Measurable, Pausable, Scalable
from lab.substrates.plan import Link, Role
from lab.wait import eventually
from lab.workload import foreign
from scenarios.support.laws import not_valid, only_broken
from system.contract.topology import PROCESS_QUEUE, RETRY_DELAYS_S, retry_queue

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(300)]

WEAKENED = "system.tests.weakened"
GOES_ON = "work goes on during a memory alarm"
SOON_S = 60.0
"""For what takes a second or two on a machine with nothing else to do."""

Experiment = Callable[[Lab], None]
Plan = dict[str, Any]


def _results_are_away(lab: Lab) -> None:
    """Redis is dead while matches come, until the worker has ended with all of them in order.

    Those of the earlier system do not say that no caller waits for their result.
    """
    with lab.fault("results-killed"):
        for number in range(5):
            lab.send(external_match_id=f"results-{number}")
        lab.send_foreign(0)
        lab.settle()
        with lab.fault("worker-terminated"):
            pass


def _tasks_hang(lab: Lab) -> None:
    """The API hangs until the hard time limit has killed a task that waited for it."""
    assert isinstance(lab.substrate, Pausable)
    lab.substrate.pause(Role.API)
    for number in range(2):
        lab.send(external_match_id=f"hang-{number}")
    (log,) = lab.substrate.logs(Role.WORKER)
    eventually(
        "the hard time limit to strike",
        lambda: "Hard time limit" in log.text(),
        within_s=SOON_S,
    )
    lab.substrate.resume(Role.API)


def _no_json_comes(lab: Lab) -> None:
    """A message whose body is not what its content type says."""
    messages = {each.kind: each for each in foreign.messages(lab.rng, 1)}
    broken = messages["bytes that are no JSON"]
    foreign.send(broken, lab.endpoints.broker_urls["admin"], lab.ledger)


def _the_queue_is_unbound(lab: Lab) -> None:
    """The scraper publishes while nothing is bound.

    No retry is on its way then, so there is no dead-letter route to wait for, as after lab.fault.
    """
    (moment,) = lab.season.moments(1)
    with registry.find("queue-unbound").strike(lab):
        lab.scrape(moment, 0)


def _an_alarm_is_raised(lab: Lab) -> None:
    """A slow link makes a backlog last; then the broker's memory alarm blocks who publishes."""
    assert isinstance(lab.substrate, Scalable)
    lab.endpoints.management.allow_everything("worker")  # a careless deployment
    lab.substrate.scale(Role.WORKER, 1)
    with lab.fault("link-slowed", link=Link.WORKER_API, latency_s=0.5):
        for number in range(60):
            lab.send(external_match_id=f"alarm-{number}")
        with lab.fault("broker-memory-alarm"):
            eventually(
                "the alarm",
                lambda: lab.endpoints.management.alarms() == ["memory"],
                within_s=SOON_S,
                tolerate=(amqp.BrokerSilent,),
            )
            before = len(lab.ledger.effects)
            try:
                eventually(
                    "eight more effects, more than could be under way",
                    lambda: len(lab.ledger.effects) >= before + 8,
                    within_s=20,
                )
                went_on = True
            except NotWithin:
                went_on = False
            after = len(lab.ledger.effects)
    lab.check(GOES_ON, ok=went_on, detail=f"{after - before} effects of {60 - before} outstanding")


def _connections_are_lost_in_the_middle_of_tasks(lab: Lab) -> None:
    """The database hangs, so tasks are under way; their messages are given out once more."""
    assert isinstance(lab.substrate, Pausable)
    lab.substrate.pause(Role.DATABASE)
    for number in range(4):
        lab.send(external_match_id=f"connection-{number}")
    eventually(
        "the worker to take messages",
        lambda: lab.ledger.depths()[PROCESS_QUEUE] == 0,
        within_s=SOON_S,
    )
    with lab.fault("connections-closed"):
        eventually("messages to be given again", lambda: _given_again(lab), within_s=SOON_S)
    lab.substrate.resume(Role.DATABASE)


def _given_again(lab: Lab) -> bool:
    """Whether messages are back in the queue, or were handed out a second time."""
    if lab.ledger.depths()[PROCESS_QUEUE]:
        return True
    queue = lab.endpoints.management.call("GET", f"queues/%2F/{PROCESS_QUEUE}")
    return bool(queue.get("message_stats", {}).get("redeliver"))


def _a_retry_is_published_and_its_worker_dies(lab: Lab) -> None:
    """The API is down; the worker dies before it acknowledges the first message it retries."""
    assert isinstance(lab.substrate, Killable)
    place = lab.substrate
    assert isinstance(place, Measurable)
    with lab.fault("api-killed"):
        for number in range(4):
            lab.send(external_match_id=f"fork-{number}")
        eventually("the worker to die", lambda: "worker-0" not in place.memory(), within_s=SOON_S)
        # Both copies have to be there: the original is back, and the retry has had its time. The
        # worker's other child may have been as far with a message of its own.
        eventually(
            "the original and its copy",
            lambda: (
                lab.ledger.depths()[PROCESS_QUEUE] >= 5
                and lab.ledger.depths()[retry_queue(RETRY_DELAYS_S[0])] == 0
            ),
            within_s=SOON_S,
        )
    lab.substrate.start(Role.WORKER)


LIMITS = {
    Role.WORKER: {
        "MISSING_TABLE_SOFT_TIME_LIMIT_S": "1",
        "MISSING_TABLE_HARD_TIME_LIMIT_S": "2",
    }
}
DEAF = {"wrapper": {Role.WORKER: f"{WEAKENED}.deaf_worker"}, "settings": LIMITS}
FORKED = {"wrapper": {Role.WORKER: f"{WEAKENED}.forked"}}
SLOWED = {"relayed": frozenset({Link.WORKER_API})}


STORED = {"wrapper": {Role.WORKER: f"{WEAKENED}.stored_results"}}
TRACKED = {"task_track_started": True, "task_acks_on_failure": True}


GUARDED: dict[str, tuple[Plan, list[Experiment]]] = {
    "as it is": (
        SLOWED,
        [
            _connections_are_lost_in_the_middle_of_tasks,
            _results_are_away,
            _no_json_comes,
            _the_queue_is_unbound,
            _an_alarm_is_raised,
        ],
    ),
    "with tasks that hang": (DEAF, [_tasks_hang]),
    "with a worker that dies after a retry": (FORKED, [_a_retry_is_published_and_its_worker_dies]),
}

CONTROLS: dict[str, tuple[Experiment, Plan, tuple[int, ...]]] = {
    "results that are stored and started tasks that are tracked": (
        _results_are_away,
        {**STORED, "settings": {Role.WORKER: {"WEAKENED": json.dumps(TRACKED)}}},
        (1,),
    ),
    "an acknowledgement at the hard time limit": (
        _tasks_hang,
        {"wrapper": {Role.WORKER: f"{WEAKENED}.acked_timeout"}, "settings": LIMITS},
        (1,),
    ),
    "no gate": (_no_json_comes, {"wrapper": {Role.WORKER: f"{WEAKENED}.ungated"}}, (1,)),
    "no returns": (_the_queue_is_unbound, {"scraper_wrapper": f"{WEAKENED}.unreturned"}, (1,)),
    "no receipt when a connection is lost": (
        _connections_are_lost_in_the_middle_of_tasks,
        {"wrapper": {Role.API: f"{WEAKENED}.receipt"}},
        (2,),
    ),
    "no receipt when a retry forks": (
        _a_retry_is_published_and_its_worker_dies,
        {"wrapper": {**FORKED["wrapper"], Role.API: f"{WEAKENED}.receipt"}},
        (2,),
    ),
    # What took effect is dead-lettered all the same: it is in two places, and died without need.
    "results that are stored": (_results_are_away, STORED, (1, 4)),
}


@pytest.mark.parametrize("group", GUARDED)
def test_with_its_guards_the_system_keeps_every_law(group: str, open_lab: OpenLab) -> None:
    """Valid, whatever happens; and work goes on in an alarm."""
    plan, experiments = GUARDED[group]
    lab = open_lab(**plan)
    for experiment in experiments:
        experiment(lab)
        lab.settle()
    audit = lab.audit()
    assert not_valid(audit) == {}
    assert [each for each in audit.checks if each.verdict is not Verdict.VALID] == []


@pytest.mark.parametrize("control", CONTROLS)
def test_without_a_guard_the_audit_names_the_law_that_broke(
    control: str, open_lab: OpenLab
) -> None:
    """Invalid, for the right reason, and for no other."""
    experiment, plan, laws = CONTROLS[control]
    lab = open_lab(**plan)
    experiment(lab)
    only_broken(lab.audit(), *laws)


def test_a_worker_that_sends_events_freezes_in_an_alarm_and_the_check_is_red(
    open_lab: OpenLab,
) -> None:
    """Nothing is lost: the laws hold, and only the check of progress notices."""
    lab = open_lab(workers=0, wrapper={Role.WORKER: f"{WEAKENED}.chatty"}, **SLOWED)
    _an_alarm_is_raised(lab)
    audit = lab.audit()
    assert audit.verdict is Verdict.INVALID
    (check,) = (each for each in audit.checks if each.name == GOES_ON)
    assert check.verdict is Verdict.INVALID, check.detail
    assert not_valid(audit) == {}


def test_every_experiment_is_tried_with_its_guard_and_without() -> None:
    """A control whose experiment was never seen valid shows nothing."""
    with_guard = {each for _, experiments in GUARDED.values() for each in experiments}
    without = {experiment for experiment, _, _ in CONTROLS.values()} | {_an_alarm_is_raised}
    assert with_guard == without
