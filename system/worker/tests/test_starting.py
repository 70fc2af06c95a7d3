"""A worker that cannot work takes no message; one whose services are away waits for them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psutil
import pytest

from system.contract.topology import PROCESS_QUEUE
from system.worker.tests.bench import Bench, a_match, has_ended, until

pytestmark = [pytest.mark.services, pytest.mark.timeout(420)]

PLAN = {"workers": 0}
OpenLab = Callable[..., Any]


def _environment(bench: Bench) -> dict[str, str]:
    """All that a worker of this lab needs, and nothing of this process's own settings."""
    ends = bench.lab.endpoints
    own = {name: value for name, value in os.environ.items() if not name.startswith("MISSING_")}
    return {
        **own,
        "MISSING_TABLE_BROKER_URL": bench.urls["worker"],
        "MISSING_TABLE_RESULT_URL": ends.results_url,
        "MISSING_TABLE_API_URL": ends.api_url,
        "MISSING_TABLE_API_TOKEN": ends.api_token,
    }


@contextmanager
def _worker(env: Mapping[str, str], log: Path, *command: str) -> Iterator[subprocess.Popen[bytes]]:
    """A worker of this test's own; it is ended with the block."""
    with log.open("wb") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", *command, "system.worker"], env=env, stdout=said, stderr=said
        )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(60)
        finally:
            process.kill()


def _with_password(url: str, password: str) -> str:
    parts = urlsplit(url)
    return parts._replace(
        netloc=f"{parts.username or ''}:{password}@{parts.hostname}:{parts.port}"
    ).geturl()


# What is wrong → the words of the refusal.
WRONG: list[tuple[Callable[[Any], dict[str, str | None]], str]] = [
    (lambda _: {"API_URL": None}, "MISSING_TABLE_API_URL"),
    (lambda _: {"API_TOKEN": None}, "MISSING_TABLE_API_TOKEN"),
    (lambda _: {"API_URL": "backend:8000"}, "MISSING_TABLE_API_URL must begin with http"),
    (lambda ends: {"API_URL": f"{ends.api_url}/no"}, "MISSING_TABLE_API_URL is no backend's"),
    (lambda _: {"API_TOKEN": "another"}, "the backend refuses MISSING_TABLE_API_TOKEN"),
    (lambda _: {"BROKER_URL": "http://127.0.0.1"}, "MISSING_TABLE_BROKER_URL is no address"),
    (
        lambda ends: {"BROKER_URL": _with_password(ends.broker_urls["worker"], "another")},
        "MISSING_TABLE_BROKER_URL is refused",
    ),
    (
        lambda ends: {"BROKER_URL": ends.broker_urls["worker"].replace("%2F", "nowhere")},
        "vhost nowhere not found",
    ),
    (lambda _: {"RESULT_URL": "127.0.0.1"}, "MISSING_TABLE_RESULT_URL is no address"),
    (
        lambda ends: {"RESULT_URL": _with_password(ends.results_url, "another")},
        "MISSING_TABLE_RESULT_URL is refused",
    ),
    (lambda _: {"SINK": "database"}, "MISSING_TABLE_DATABASE_URL is not set"),
    (
        lambda _: {"SINK": "database", "DATABASE_URL": "here"},
        "MISSING_TABLE_DATABASE_URL is no address",
    ),
    (
        lambda ends: {
            "SINK": "database",
            "DATABASE_URL": _with_password(ends.database_url, "another"),
        },
        "MISSING_TABLE_DATABASE_URL is refused",
    ),
    (lambda _: {"CA_FILE": "/no/such/file"}, "MISSING_TABLE_CA_FILE"),
    (lambda _: {"BRAKE_PAUSE_S": "0"}, "MISSING_TABLE_BRAKE_PAUSE_S"),
]


# One for each of what a worker needs to know and to reach; the others repeat it for a service.
USUAL = (
    "MISSING_TABLE_API_URL",
    "the backend refuses MISSING_TABLE_API_TOKEN",
    "MISSING_TABLE_BROKER_URL is refused",
    "MISSING_TABLE_RESULT_URL is refused",
    "MISSING_TABLE_DATABASE_URL is refused",
)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        pytest.param(wrong, words, id=words, marks=[] if words in USUAL else [pytest.mark.faults])
        for wrong, words in WRONG
    ],
)
def test_a_wrong_setting_ends_the_start_with_its_name_and_no_message_is_taken(
    wrong: Callable[[Any], dict[str, str | None]], words: str, lab: Any, tmp_path: Path
) -> None:
    """Celery logs what a signal handler raises, and goes on: each message then died."""
    bench = Bench(lab)
    waiting = bench.depth(PROCESS_QUEUE) + 1
    bench.send(a_match())
    changed = {f"MISSING_TABLE_{name}": value for name, value in wrong(lab.endpoints).items()}
    env = {name: v for name, v in (_environment(bench) | changed).items() if v is not None}
    log = tmp_path / "worker.log"
    with _worker(env, log) as worker:
        assert worker.wait(120) == 2
    said = log.read_text()
    assert words in said
    assert "Traceback" not in said
    for secret in ("another", lab.endpoints.api_token):
        assert secret not in said
    assert bench.depth(PROCESS_QUEUE) == waiting
    assert bench.letters() == []


def test_a_child_that_cannot_work_ends_the_worker_before_it_takes_a_message(
    lab: Any, tmp_path: Path
) -> None:
    """What was right when the worker started can be wrong when a child is replaced."""
    bench = Bench(lab)
    waiting = bench.depth(PROCESS_QUEUE) + 1
    bench.send(a_match())
    log = tmp_path / "worker.log"
    with _worker(_environment(bench), log, "system.tests.weakened.childless_worker") as worker:
        assert worker.wait(120) == 1
    assert "MISSING_TABLE_CA_FILE, /gone since" in log.read_text()
    assert bench.letters() == []
    until("the message to be back", lambda: bench.depth(PROCESS_QUEUE) == waiting)


@pytest.mark.slow
def test_what_is_away_when_a_worker_starts_is_said_and_waited_for(
    open_lab: OpenLab, tmp_path: Path
) -> None:
    bench = Bench(open_lab(workers=0))
    substrate, env, log = bench.lab.substrate, _environment(bench), tmp_path / "worker.log"
    message_id = bench.send(a_match())
    for role in ("broker", "api", "results"):
        substrate.kill(role)
    with _worker(env, log) as worker:
        until("all three to be missed", lambda: log.read_text().count('"unavailable"') == 3)
        until("it to try again", lambda: "cannot connect to the broker" in log.read_text())
        for role in ("broker", "api", "results"):
            substrate.start(role)
        bench.receipt(message_id, within_s=60)
        assert not has_ended(psutil.Process(worker.pid))


def test_its_help_lists_every_setting_and_exit_code() -> None:
    for module in ("system.worker", "system.backend"):
        command = [sys.executable, "-m", module, "--help"]
        shown = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
        for word in ("MISSING_TABLE_API_TOKEN", "MISSING_TABLE_DATABASE_URL", "Exit codes"):
            assert word in shown.stdout
