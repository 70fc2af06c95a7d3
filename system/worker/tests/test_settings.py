"""Settings of Celery that are kept for one reason each: with it, and without it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from system.contract.topology import PROCESS_QUEUE
from system.settings import WorkerSettings
from system.worker import app
from system.worker.tests.bench import Bench, a_match, frozen_api, has_ended, open_bench, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

OpenLab = Callable[..., Any]
VAIN = "cannot connect to the broker"
"""What a worker says of each attempt that failed."""


def test_the_defaults_that_we_rely_on_are_still_celerys() -> None:
    """Left out of the configuration; should Celery change one, it has to go in."""
    conf = app.create(WorkerSettings(broker_url=SecretStr("amqp://x"))).conf
    assert conf.task_track_started is False  # would need Redis before a task begins
    assert conf.worker_detect_quorum_queues is True  # they refuse a prefetch for all consumers
    assert conf.worker_send_task_events is False  # would freeze the worker during an alarm
    assert conf.task_send_sent_event is False
    assert list(conf.accept_content) == ["json"]


def test_a_bug_in_all_that_would_give_a_match_back_costs_no_message(
    open_lab: OpenLab, tmp_path: Path
) -> None:
    """`task_acks_on_failure`: what no net of ours has caught goes to the dead letters."""
    code = tmp_path / "broken"
    code.write_text("nets")
    bench = Bench(
        open_lab(
            settings={"worker": {"WEAKENED": str(code)}},
            wrapper={"worker": "system.tests.weakened.buggy_worker"},
        )
    )
    envelope = a_match()
    bench.send(envelope)
    letter = bench.letter(envelope.message_id)
    assert (letter.reason, letter.queue) == ("rejected", PROCESS_QUEUE)
    assert letter.body == envelope.body


@pytest.mark.parametrize(
    "cancel",
    [
        pytest.param(True, id="with"),
        pytest.param(False, id="without", marks=pytest.mark.controls),
    ],
)
def test_after_a_lost_connection_the_first_copy_of_a_task_ends(
    cancel: bool, open_lab: OpenLab
) -> None:
    """`worker_cancel_long_running_tasks_on_connection_loss`: else two copies run at once."""
    key = "worker_cancel_long_running_tasks_on_connection_loss"
    bench = open_bench(open_lab, weakened={key: cancel})
    with frozen_api(bench):
        message_id = bench.send(a_match())
        child = bench.busy_child()
        child.suspend()  # or its request could be given up before the broker is told
        bench.lab.substrate.control_broker("close_all_connections", "test")
        until("the worker to notice", lambda: "Connection to broker lost" in bench.whole_log())
        child.resume()
        if cancel:
            until("the first copy to be killed", lambda: not child.is_running())
        else:
            until("the worker to be back", lambda: bench.consumers(PROCESS_QUEUE) == 1)
            assert child.is_running()
    bench.receipt(message_id)
    assert bench.letters() == []


@pytest.mark.faults
@pytest.mark.parametrize(
    "again",
    [
        pytest.param(True, id="with"),
        pytest.param(False, id="without", marks=pytest.mark.controls),
    ],
)
def test_a_task_that_outlasts_the_brokers_patience_does_not_end_the_worker(
    again: bool, open_lab: OpenLab
) -> None:
    """`broker_channel_error_retry`: the broker closes the channel (406), the worker opens one."""
    bench = open_bench(open_lab, weakened={"broker_channel_error_retry": again})
    lab = bench.lab.substrate
    lab.control_broker(
        "eval",
        "application:set_env(rabbit,consumer_timeout,1000),"
        "application:set_env(rabbit,channel_tick_interval,1000).",
    )
    lab.terminate("worker")
    lab.start("worker")  # its channels have the new limits
    worker = bench.worker
    with frozen_api(bench):
        message_id = bench.send(a_match())
        bench.busy_child()
        until("the broker to lose patience", lambda: "PRECONDITION_FAILED" in bench.whole_log())
    lab.control_broker("eval", "application:set_env(rabbit,consumer_timeout,900000).")
    if again:
        bench.receipt(message_id, within_s=60)
        assert not has_ended(worker)
    else:
        until("the worker to have ended", lambda: has_ended(worker), within_s=60)


@pytest.mark.faults
@pytest.mark.parametrize(
    "weakened",
    [
        pytest.param({}, id="with"),
        pytest.param(
            {"broker_connection_max_retries": 100}, id="without", marks=pytest.mark.controls
        ),
    ],
)
def test_a_broker_that_stays_away_is_waited_for_however_often_it_was_tried(
    weakened: dict[str, Any], open_lab: OpenLab
) -> None:
    """`broker_connection_max_retries`: Celery's own limit, 100, ends the worker within the hour."""
    bench = open_bench(open_lab, weakened=weakened, wrapper="hurried")
    worker = bench.worker
    bench.lab.substrate.kill("broker")
    if weakened:
        until("the worker to have ended", lambda: has_ended(worker), within_s=120)
        assert bench.whole_log().count(VAIN) >= 100
    else:
        until("150 vain attempts", lambda: bench.whole_log().count(VAIN) >= 150, within_s=120)
        bench.lab.substrate.start("broker")
        bench.receipt(bench.send(a_match()), within_s=60)
        assert bench.worker == worker


def test_children_are_replaced_without_losing_a_match(open_lab: OpenLab) -> None:
    """`worker_max_memory_per_child`: a child that is too big ends after its task. Here each is."""
    bench = open_bench(open_lab, weakened={"worker_max_memory_per_child": 1})
    (first,) = bench.worker.children()
    matches = [bench.send(a_match()) for _ in range(8)]
    for message_id in matches:
        bench.receipt(message_id, within_s=60)
    assert has_ended(first)
    assert bench.letters() == []
    # A child says what took effect after the receipt is there.
    until("each to be reported", lambda: all(bench.log(each) for each in matches))
    assert [len(bench.log(each)) for each in matches] == [1] * len(matches)
