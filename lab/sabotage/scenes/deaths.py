"""Processes die, or hang until something kills them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from functools import partial

import psycopg

from lab.errors import NotWithin
from lab.experiment.lab import Lab
from lab.sabotage.scene import Setup, scene
from lab.sabotage.scenes.doing import (
    AS_IT_IS,
    SOON_S,
    killable,
    none_waits,
    pausable,
    scrape,
    send,
    start_the_api_anew,
    waiting,
)
from lab.substrates.abilities import ChildKillable, Measurable
from lab.substrates.plan import Role
from lab.wait import eventually
from lab.workload.profiles import Profile
from system.contract.topology import RETRY_DELAYS_S, retry_queue

CONNECT_S = 3
NOTICED_S = 10.0
"""In which a parent has noticed that its child died with a match."""
_LOST = "Connection to broker lost"
"""Celery's words."""
_WEAKENED = "system.tests.weakened"
ITS_SHARE = "a worker holds no more than its share"
_BATCH = 4
_HELD = 2 * 2 * _BATCH
"""Messages that a worker holds at once: for each of two children a batch under way and one that
gathers."""
_MORE = 4
_CRASHES = 4
"""Without the guard each costs some receipts; one may hit a moment at which all is written."""
_STREAM = Profile("100 a second, while the database crashes", ((10.0, 100.0),))
_AMID = 50
"""Effects before each crash: by then the workers are in the middle of the stream."""

SMALL_BATCHES = Setup(
    "with small batches",
    {"settings": {Role.WORKER: {"MISSING_TABLE_BATCH_SIZE": str(_BATCH)}}},
)
SLOW_PAGES = Setup("with a slow site", {"page_delay_ms": 1000})
ONE_CHILD = Setup("with one pool child", {"concurrency": 1})
FORKED = Setup(
    "with a worker that dies after a retry", {"wrapper": {Role.WORKER: f"{_WEAKENED}.forked"}}
)
HANGING = Setup(
    "with tasks that hang",
    {
        "wrapper": {Role.WORKER: f"{_WEAKENED}.deaf_worker"},
        "settings": {
            Role.WORKER: {
                "MISSING_TABLE_SOFT_TIME_LIMIT_S": "1",
                "MISSING_TABLE_HARD_TIME_LIMIT_S": "2",
            }
        },
    },
)


@scene(SMALL_BATCHES)
def a_worker_dies_in_the_middle_of_its_tasks(lab: Lab) -> None:
    """The API hangs, so tasks are under way; then the worker is killed, and comes back.

    A worker that acknowledges early is handed one more than it may hold: only then has the broker
    forgotten a message that is not done yet.
    """
    pausable(lab).pause(Role.API)
    send(lab, "held", _HELD + _MORE)
    expected = _HELD + 1 if Role.WORKER in lab.plan.wrapper else _HELD
    eventually(
        f"the worker to take {expected} messages",
        lambda: waiting(lab) <= _HELD + _MORE - expected,
        within_s=SOON_S,
    )
    taken = _HELD + _MORE - waiting(lab)
    lab.check(ITS_SHARE, ok=taken <= _HELD, detail=f"{taken} of {_HELD}")
    killable(lab).kill(Role.WORKER)
    start_the_api_anew(lab)
    killable(lab).start(Role.WORKER)
    # What is missing after that is gone, and not waiting for a worker that starts slowly.
    none_waits(lab)


@scene(ONE_CHILD)
def a_pool_child_dies_with_its_match(lab: Lab) -> None:
    """The only child works on one match, since the API hangs, and is killed."""
    pausable(lab).pause(Role.API)
    send(lab, "child", 1)
    eventually("the worker to take it", lambda: waiting(lab) == 0, within_s=SOON_S)
    # The parent takes a match a moment before it hands it on: an idle child may be killed first.
    eventually(
        "a child to die with a match",
        partial(_a_child_is_lost, lab),
        within_s=SOON_S,
        tolerate=(NotWithin,),
    )
    start_the_api_anew(lab)


@scene(SLOW_PAGES)
def the_broker_dies_while_the_scraper_publishes(lab: Lab) -> None:
    """After the first page the broker hangs, so what is sent stays in buffers; then it dies."""
    before = len(lab.ledger.accepted)
    with ThreadPoolExecutor(1) as beside:
        run = beside.submit(scrape, lab)
        eventually(
            "the first page to be accepted",
            lambda: len(lab.ledger.accepted) > before,
            within_s=SOON_S,
        )
        pausable(lab).pause(Role.BROKER)
        try:
            run.result(timeout=120)
        finally:
            killable(lab).kill(Role.BROKER)
            killable(lab).start(Role.BROKER)
    lab.scraper.drain()


@scene(AS_IT_IS)
def the_database_crashes_while_messages_take_effect(lab: Lab) -> None:
    """Killed amid a stream of commits, again and again: what the latest ones wrote is at stake.

    The stream must not end before the crash: a commit that is not on disk yet is there after some
    hundred milliseconds, whatever the backend asked for.
    """
    with lab.load(_STREAM):
        for _ in range(_CRASHES):
            _take_effect(lab, _AMID)
            killable(lab).kill(Role.DATABASE)
            killable(lab).start(Role.DATABASE)


@scene(AS_IT_IS)
def the_broker_dies_while_messages_wait(lab: Lab) -> None:
    """No worker is there; the broker is killed, and starts again."""
    with lab.fault("worker-killed"):
        send(lab, "waits", 20)
        with lab.fault("broker-killed"):
            pass


@scene(AS_IT_IS)
def connections_are_lost_in_the_middle_of_tasks(lab: Lab) -> None:
    """A statement waits for a lock, so a task is under way; its message is given out once more."""
    (log,) = lab.substrate.logs(Role.WORKER)
    before = log.text().count(_LOST)
    with lab.fault("matches-locked"):
        send(lab, "connection", 4)
        # It is in the database, and will be carried out whatever becomes of who asked for it.
        eventually("a statement to wait for the lock", lambda: _locked_out(lab), within_s=SOON_S)
        with lab.fault("connections-closed"):
            eventually(
                "the worker to notice",
                lambda: log.text().count(_LOST) > before,
                within_s=SOON_S,
            )


@scene(FORKED)
def a_retry_is_published_and_its_worker_dies(lab: Lab) -> None:
    """The API is down; the worker dies before it acknowledges the first message it retries."""
    place = lab.substrate
    assert isinstance(place, Measurable)
    with lab.fault("api-killed"):
        send(lab, "fork", 4)
        eventually("the worker to die", lambda: "worker-0" not in place.memory(), within_s=SOON_S)
        # Both copies have to be there: the original is back, and the retry has had its time. The
        # worker's other child may have been as far with a message of its own.
        eventually(
            "the original and its copy",
            lambda: waiting(lab) >= 5 and lab.ledger.depths()[retry_queue(RETRY_DELAYS_S[0])] == 0,
            within_s=SOON_S,
        )
    killable(lab).start(Role.WORKER)


@scene(HANGING)
def tasks_hang(lab: Lab) -> None:
    """The API hangs until the hard time limit has killed a task that waited for it."""
    pausable(lab).pause(Role.API)
    send(lab, "hang", 2)
    (log,) = lab.substrate.logs(Role.WORKER)
    eventually(
        "the hard time limit to strike",
        lambda: "Hard time limit" in log.text(),
        within_s=SOON_S,
    )
    start_the_api_anew(lab)


def _a_child_is_lost(lab: Lab) -> bool:
    """Kill a pool child, and wait for its parent to say that a match was with it."""
    assert isinstance(lab.substrate, ChildKillable)
    (log,) = lab.substrate.logs(Role.WORKER)
    lab.substrate.kill_child(Role.WORKER)
    eventually("its parent to notice", lambda: "WorkerLostError" in log.text(), within_s=NOTICED_S)
    return True


def _take_effect(lab: Lab, count: int) -> None:
    """Wait until so many more messages have taken effect."""
    before = len(lab.ledger.effects)
    eventually(
        f"{count} more messages to take effect",
        lambda: len(lab.ledger.effects) >= before + count,
        within_s=2 * SOON_S,
    )


def _locked_out(lab: Lab) -> bool:
    """Whether a statement waits for a lock."""
    with psycopg.connect(lab.endpoints.database_url, connect_timeout=CONNECT_S) as connection:
        (waits,) = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
        )
    return bool(waits[0])
