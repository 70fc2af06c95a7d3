"""A network that loses every packet for some seconds costs no connection, and no message.

Each is shown twice: with the patience that the system has, and with that of one second, py-amqp's
default, with which a stall that TCP would have mended ends the connection.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest

from system.contract.topology import LEARN_QUEUE
from system.tests import cable
from system.tests.broker import envelopes, own_queue, take_all
from system.tests.cable import Cable
from system.tests.relay import Relay, relay
from system.worker.tests.bench import Bench, until

pytestmark = [
    pytest.mark.faults,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(300),
]

STALL_S = 3.0
"""Three times the default patience, a fifth of ours."""

PUBLISHER = """
import sys
from system.contract.topology import EXCHANGE
from system.messaging import connection, publisher
from system.tests.broker import envelopes

url, queue, patience_ms = sys.argv[1:]
usual = connection.parameters

def impatient(*args, **more):
    found = usual(*args, **more)
    found.tcp_options = {"TCP_USER_TIMEOUT": int(patience_ms)}
    return found

if patience_ms:
    connection.parameters = impatient
with publisher.Publisher(url) as publishing:
    for first, count in ((0, 1), (1, 300)):
        sent = envelopes(count, first)
        fates = publishing.publish(sent, exchange=EXCHANGE, key=queue, within_s=60)
        print(*{fate.outcome.value for fate in fates}, flush=True)
        sys.stdin.readline()
"""


@contextmanager
def far_from(url: str) -> Iterator[tuple[Cable, Relay, str]]:
    """A cable, a relay at its near end, and the broker's address as it is at the far end."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    with cable.laid() as laid, relay(parts.hostname, parts.port, at=laid.address) as between:
        login, _, _ = parts.netloc.rpartition("@")
        there = parts._replace(netloc=f"{login}@{laid.address}:{between.port}")
        yield laid, between, urlunsplit(there)


def wait_for_the_arrival(pid: int, port: int) -> None:
    """Wait until the broker's side has acknowledged everything."""
    until("no packet to be missed", lambda: not cable.unacknowledged(pid, port), within_s=60)


def wait_for_a_stall(pid: int, port: int) -> None:
    """Wait until something that the process has sent was unacknowledged for `STALL_S` on end."""
    since = time.monotonic()

    def stalled() -> bool:
        nonlocal since
        if not cable.unacknowledged(pid, port):  # not yet, or not any more
            since = time.monotonic()
        return time.monotonic() - since > STALL_S

    until("packets to be missed", stalled, within_s=60)


def wait_for_the_end(pid: int, port: int) -> None:
    """Wait until the process has given its connection up."""
    until("no connection", lambda: cable.unacknowledged(pid, port) is None, within_s=60)


@pytest.mark.parametrize(
    "weakened",
    [
        pytest.param(None, id="with"),
        pytest.param({"broker_transport_options": {}}, id="without", marks=pytest.mark.controls),
    ],
)
def test_a_worker_outlasts_packet_loss_on_its_connection(
    weakened: dict[str, Any] | None, open_lab: Callable[..., Any], tmp_path: Path
) -> None:
    """`TCP_USER_TIMEOUT`. What gets lost is its heartbeat."""
    bench = Bench(open_lab(workers=0))
    log = tmp_path / "worker.log"
    wrapper = [] if weakened is None else ["system.tests.weakened.one_setting"]
    argv = [sys.executable, "-m", *wrapper, "system.worker"]
    with far_from(bench.urls["worker"]) as (laid, between, url), log.open("w") as told:
        env = {
            **os.environ,
            "MISSING_TABLE_BROKER_URL": url,
            "MISSING_TABLE_API_URL": f"http://{laid.address}:1",
            "MISSING_TABLE_API_TOKEN": "none",
            "MISSING_TABLE_CONCURRENCY": "1",
            "TMPDIR": str(tmp_path),  # it is killed, and cannot clear up
            "WEAKENED": json.dumps(weakened),
        }
        with laid.process(argv, env, stdout=told, stderr=subprocess.STDOUT) as worker:
            until("the worker to consume", lambda: bench.consumers(LEARN_QUEUE) == 1)
            before = between.accepted
            laid.pull()
            if weakened is None:
                wait_for_a_stall(worker.pid, between.port)
                laid.plug()
                wait_for_the_arrival(worker.pid, between.port)
            else:
                wait_for_the_end(worker.pid, between.port)
                laid.plug()
                until("it to connect anew", lambda: between.accepted > before)
            assert ("Connection to broker lost" in log.read_text()) is (weakened is not None)
            assert (between.accepted > before) is (weakened is not None)


@pytest.mark.parametrize(
    "patience_ms",
    [
        pytest.param("", id="with"),
        pytest.param("1000", id="without", marks=pytest.mark.controls),
    ],
)
def test_a_publisher_outlasts_packet_loss_amid_a_batch(patience_ms: str, shared_lab: Any) -> None:
    """It leaves TCP its own patience, and bounds the whole of `publish` instead."""
    url = str(shared_lab.endpoints.broker_urls["admin"])
    pipe = subprocess.PIPE
    with own_queue(url) as queue, far_from(url) as (laid, between, there):
        argv = [sys.executable, "-c", PUBLISHER, there, queue, patience_ms]
        with laid.process(argv, os.environ, stdin=pipe, stdout=pipe) as publisher:
            assert publisher.stdin is not None
            assert publisher.stdout is not None
            assert publisher.stdout.readline() == "confirmed\n"
            laid.pull()
            print(file=publisher.stdin, flush=True)
            if patience_ms:
                wait_for_the_end(publisher.pid, between.port)
            else:
                wait_for_a_stall(publisher.pid, between.port)
            laid.plug()
            assert publisher.stdout.readline() == "confirmed\n"
        assert (between.accepted > 1) is bool(patience_ms)
        arrived = take_all(url, queue)
    assert list(dict.fromkeys(arrived)) == [each.message_id for each in envelopes(301)]
