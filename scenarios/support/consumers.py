"""Two consumers that share a queue, one slow and one quick; how the work is divided."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event

from lab.wait import eventually, stopwatch
from scenarios.support.playground import Playground

WORK_S = {"slow": 0.25, "quick": 0.0}
"""How long each consumer needs for a message. The quick one needs what a message takes on its way,
and the slow one more than twice that also on a busy machine."""

SHARE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Share:
    """How many messages each consumer handled, and how long the whole took."""

    counts: dict[str, int]
    seconds: float


def share(ground: Playground, queue: str, *, prefetch: int, messages: int) -> Share:
    """Let both consumers subscribe, publish `messages`, and wait until all are done.

    Args:
        prefetch: deliveries that each may hold unacknowledged.
    """
    counts = dict.fromkeys(WORK_S, 0)
    with _consuming(ground, queue, prefetch, counts), stopwatch() as seconds:
        ground.publish("", queue, [str(number) for number in range(messages)])
        eventually(
            f"{messages} messages to be done",
            lambda: sum(counts.values()) == messages,
            within_s=SHARE_WITHIN_S,
            every_s=0.01,
        )
        taken = seconds()
    return Share(counts, taken)


@contextmanager
def _consuming(
    ground: Playground, queue: str, prefetch: int, counts: dict[str, int]
) -> Iterator[None]:
    stop = Event()

    def consume(who: str) -> None:
        with ground.channel(confirm=False) as on:
            on.basic_qos(prefetch_count=prefetch)
            for method, _, _ in on.consume(queue, inactivity_timeout=0.05):
                if method is not None:
                    time.sleep(WORK_S[who])  # this is the work
                    on.basic_ack(method.delivery_tag)
                    counts[who] += 1
                if stop.is_set():
                    on.cancel()
                    return

    with ThreadPoolExecutor(max_workers=len(counts)) as pool:
        running = [pool.submit(consume, who) for who in counts]
        try:
            eventually(
                "both consumers to be subscribed",
                lambda: _subscribed(ground, queue) == len(counts),
                within_s=SHARE_WITHIN_S,
            )
            yield
        finally:
            stop.set()
            for consumer in running:
                consumer.result(SHARE_WITHIN_S)


def _subscribed(ground: Playground, queue: str) -> int:
    with ground.channel() as on:
        return int(on.queue_declare(queue, passive=True).method.consumer_count)
