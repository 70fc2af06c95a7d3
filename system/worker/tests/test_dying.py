"""A child or the whole worker ends in the middle of a task: once, politely, or every time.

The API is frozen, so that a task is surely under way, and wakes up afterwards.
"""

from __future__ import annotations

import json
import signal
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote, urlsplit

import psutil
import pytest
import urllib3

from system.contract import topology
from system.contract.topology import PROCESS_QUEUE, retry_queue
from system.worker.tests.bench import Bench, a_match, frozen_api, open_bench, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

OpenLab = Callable[..., Any]
STOPPED_S = 20.0
"""After this a stopped child has nothing in hand: its hard limit is 3 s."""


def _stop_until_killed(bench: Bench) -> None:
    """Stop a child at its work, so that it hears no soft limit, until it exceeds the hard one.

    On a busy machine it may have heard the soft limit already, and stand idle: it is let go then,
    and stopped when the message comes again.
    """

    def killed() -> bool:
        child = bench.busy_child()
        try:
            child.suspend()
            deadline = time.monotonic() + STOPPED_S
            while child.is_running() and time.monotonic() < deadline:
                time.sleep(0.1)
            child.resume()
        except psutil.NoSuchProcess:
            return True
        return False

    until("a stopped child to be killed", killed, within_s=150)


def _applied(bench: Bench, message_id: str) -> list[str]:
    """The effects that the worker reported for a message, one for each finished try."""
    return [line["effect"] for line in bench.log(message_id) if line["event"] == "applied"]


def test_the_message_of_a_killed_child_is_delivered_again_and_takes_effect_once(
    open_lab: OpenLab,
) -> None:
    """Celery alone would acknowledge it (`task_reject_on_worker_lost`)."""
    bench = open_bench(open_lab)
    worker = bench.worker.pid
    with frozen_api(bench):
        message_id = bench.send(a_match())
        child = bench.busy_child()
        child.kill()
        until("a new child to take it up", lambda: bench.busy_child().pid != child.pid)
    assert bench.receipt(message_id)["attempt"] == 1
    until("the second try to end", lambda: len(_applied(bench, message_id)) == 1)
    assert bench.letters() == []
    assert bench.depth(PROCESS_QUEUE) == 0
    assert bench.worker.pid == worker


@pytest.mark.controls
def test_without_the_setting_the_message_of_a_killed_child_is_lost(open_lab: OpenLab) -> None:
    """What `task_reject_on_worker_lost` is kept for."""
    bench = open_bench(
        open_lab, weakened={"task_reject_on_worker_lost": False, "task_acks_on_failure": True}
    )
    with frozen_api(bench):
        message_id = bench.send(a_match())
        child = bench.busy_child()
        child.kill()
        follower = bench.send(a_match())
    bench.receipt(follower)
    assert _applied(bench, message_id) == []
    assert bench.depth(PROCESS_QUEUE) == 0


def test_a_worker_that_is_asked_to_end_finishes_what_it_has_in_hand(open_lab: OpenLab) -> None:
    """SIGTERM: nothing is cut off, nothing is delivered twice."""
    bench = open_bench(open_lab)
    worker = bench.worker
    with frozen_api(bench):
        message_id = bench.send(a_match())
        bench.busy_child()
        worker.send_signal(signal.SIGTERM)
        until(
            "it to have stopped consuming",
            lambda: "Warm shutdown" in bench.whole_log() or not bench.ready_file.exists(),
        )
        assert worker.is_running()
    bench.lab.substrate.terminate("worker")
    assert _applied(bench, message_id) == ["created"]
    assert bench.depth(PROCESS_QUEUE) == 0


@pytest.mark.faults
def test_a_worker_that_is_asked_to_end_does_not_wait_for_an_api_that_never_answers(
    open_lab: OpenLab,
) -> None:
    """The client's time-out ends the try; the message waits on the ladder, and the worker goes."""
    bench = open_bench(open_lab)
    with frozen_api(bench):
        message_id = bench.send(a_match())
        bench.busy_child()
        bench.lab.substrate.terminate("worker")
        # For a moment on its way back it is in neither, or in both.
        until(
            "it to be back from the ladder",
            lambda: (bench.depth(retry_queue(1)), bench.depth(PROCESS_QUEUE)) == (0, 1),
        )
    bench.lab.substrate.start("worker")
    until(
        "another try to be over",
        lambda: (
            2 in [said["attempt"] for said in bench.log(message_id) if said["event"] == "applied"]
        ),
    )
    # The API may have carried out the first one, whose sender had given it up.
    assert [each["message_id"] for each in bench.receipts(message_id)] == [message_id]


def test_a_soft_time_limit_is_a_failure_that_passes(open_lab: OpenLab) -> None:
    """The task is told to stop, and its message tried again."""
    bench = open_bench(open_lab, soft_time_limit_s=1, hard_time_limit_s=60)
    with frozen_api(bench):
        message_id = bench.send(a_match())
        until("the first try to fail", lambda: bench.log(message_id))
    (failed, *_) = bench.log(message_id)
    assert failed["error"].startswith("SoftTimeLimitExceeded")
    until("another try to be over", lambda: _applied(bench, message_id))
    # The API may have carried out the first one, whose sender had given it up.
    assert [each["message_id"] for each in bench.receipts(message_id)] == [message_id]
    assert bench.letters() == []


def test_a_hard_time_limit_kills_the_child_and_keeps_the_message(open_lab: OpenLab) -> None:
    """A stopped child hears no soft limit. Celery alone would acknowledge (`acks_on_timeout`)."""
    bench = open_bench(open_lab, soft_time_limit_s=2, hard_time_limit_s=3)
    with frozen_api(bench):
        message_id = bench.send(a_match())
        _stop_until_killed(bench)
    assert bench.receipt(message_id)["effect"] == "created"
    assert bench.letters() == []


@pytest.mark.controls
def test_without_the_setting_a_hard_time_limit_loses_the_message(open_lab: OpenLab) -> None:
    """What `task_acks_on_timeout` is kept for."""
    bench = open_bench(
        open_lab,
        weakened={"task_acks_on_timeout": True},
        soft_time_limit_s=2,
        hard_time_limit_s=3,
    )
    with frozen_api(bench):
        message_id = bench.send(a_match())
        _stop_until_killed(bench)
        follower = bench.send(a_match())
    bench.receipt(follower)
    assert _applied(bench, message_id) == []
    assert bench.depth(PROCESS_QUEUE) == 0


def test_a_message_that_kills_every_child_ends_among_the_dead_letters(open_lab: OpenLab) -> None:
    """The broker counts its deliveries; the matches around it take effect."""
    bench = Bench(open_lab(wrapper={"worker": "system.tests.weakened.poisoned_worker"}))
    limit_deliveries(bench, 3)
    worker = bench.worker.pid
    poison = a_match(location="poison")
    before = bench.send(a_match())
    bench.send(poison)
    after = bench.send(a_match())
    letter = bench.letter(poison.message_id, within_s=60)
    assert letter.reason == "delivery_limit"
    assert (letter.queue, letter.task) == (PROCESS_QUEUE, "process_match_data")
    assert letter.body == poison.body
    bench.receipt(before)
    bench.receipt(after)
    assert bench.receipts(poison.message_id) == []
    assert bench.worker.pid == worker


def limit_deliveries(bench: Bench, limit: int) -> None:
    """A policy that wins over the topology's own, as an operator would set one."""
    own = next(q.policy for q in topology.QUEUES if q.name == PROCESS_QUEUE)
    login = urlsplit(bench.urls["admin"])
    base = f"{bench.lab.endpoints.management_url}/api"
    headers = urllib3.make_headers(
        basic_auth=f"{unquote(login.username or '')}:{unquote(login.password or '')}"
    )
    policy = {
        "pattern": f"^{PROCESS_QUEUE}$",
        "apply-to": "queues",
        "priority": 10,
        "definition": own | {"delivery-limit": limit},
    }
    answer = urllib3.request(
        "PUT",
        f"{base}/policies/%2F/small-limit",
        body=json.dumps(policy),
        headers=headers | {"Content-Type": "application/json"},
        timeout=30,
    )
    assert answer.status in (201, 204), answer.data

    def applied() -> bool:
        queue = urllib3.request(
            "GET", f"{base}/queues/%2F/{PROCESS_QUEUE}", headers=headers, timeout=30
        ).json()
        return bool(queue.get("policy") == "small-limit")

    until("the policy to be in force", applied)
