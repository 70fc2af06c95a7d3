"""What `helm test` runs in the cluster: each part has to answer, and a message to come back.

The message asks a worker to check a match, and waits for the answer: it takes the way of every
match as far as the worker, and changes nothing. Exit codes: 0 all answered, 1 one did not.
"""

from __future__ import annotations

import json
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from datetime import UTC, datetime

import redis

from system.contract import envelope
from system.contract.topology import EXCHANGE, VALIDATE_QUEUE
from system.messaging.publisher import Publisher, PublishOutcome
from system.metrics.publishing import PublisherName

WITHIN_S = float(os.environ.get("WITHIN_S", "60"))
EVERY_S = 0.5


def ask_a_worker(broker_url: str, result_url: str) -> None:
    """Send a match to be checked; return when the answer is there."""
    asked = envelope.wrap_arguments(
        [{"home_team": "a match that breaks the contract"}],
        {},
        message_id=envelope.new_message_id(),
        published_at=datetime.now(UTC),
        task=envelope.VALIDATE_TASK,
    )
    asked = asked.with_headers({**asked.headers, "ignore_result": False})
    with Publisher(broker_url, name=PublisherName.SCRAPER) as publisher:
        (result,) = publisher.publish([asked], exchange=EXCHANGE, key=VALIDATE_QUEUE)
    if result.outcome is not PublishOutcome.CONFIRMED:
        raise ValueError(f"the broker says: {result.outcome} {result.detail}")
    with redis.Redis.from_url(result_url, socket_timeout=5, socket_connect_timeout=5) as results:
        deadline = time.monotonic() + WITHIN_S
        while not (found := results.get(f"celery-task-meta-{asked.message_id}")):
            if time.monotonic() > deadline:
                raise TimeoutError(f"no answer within {WITHIN_S:g} s; is a worker ready?")
            time.sleep(EVERY_S)
    answer = json.loads(found)["result"]
    if answer.get("valid") is not False or not answer.get("violations"):
        raise ValueError(f"the worker answered {answer}")


def get(url: str) -> None:
    """Return when `url` is answered with 200."""
    with urllib.request.urlopen(url, timeout=5):  # noqa: S310 - http only: the chart sets it
        return


def until_well(look: Callable[[], None]) -> None:
    """Look again until nothing is wrong; raise what is wrong at the deadline."""
    deadline = time.monotonic() + WITHIN_S
    while True:
        try:
            return look()
        except Exception:
            if time.monotonic() > deadline:
                raise
            time.sleep(EVERY_S)


def main() -> int:
    """Ask every part that the environment names."""
    env = os.environ
    asked: dict[str, Callable[[], None]] = {}
    if "BACKEND_URL" in env:
        asked["backend"] = lambda: get(env["BACKEND_URL"] + "/readyz")
    if "PROMETHEUS_URL" in env:
        asked["prometheus"] = lambda: get(env["PROMETHEUS_URL"] + "/-/ready")
    if "BROKER_URL" in env:
        asked["broker, worker, results"] = lambda: ask_a_worker(
            env["BROKER_URL"], env["RESULT_URL"]
        )
    failed = 0
    for part, look in asked.items():
        try:
            until_well(look)
        except Exception as error:
            failed += 1
            print(f"FAILED  {part}: {error}")  # noqa: T201
        else:
            print(f"ok      {part}")  # noqa: T201
    return 1 if failed or not asked else 0


if __name__ == "__main__":
    sys.exit(main())
