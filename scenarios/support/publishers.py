"""A publisher whose broker hangs and then dies, with confirms and without."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pika
from pika.exceptions import AMQPError

from lab.wait import eventually
from scenarios.support.playground import Playground

PUBLISH_WITHIN_S = 60.0
_PERSISTENT = pika.BasicProperties(delivery_mode=2)


@dataclass(slots=True)
class Belief:
    """What a publisher believes.

    Attributes:
        begun: calls of `publish` that were made.
        sent: those of them that returned without an error.
        error: the class of the first error; empty if there was none.
    """

    begun: int = 0
    sent: int = 0
    error: str = ""


def publish_into_the_dark(
    ground: Playground,
    queue: str,
    bodies: list[str],
    *,
    confirm: bool,
    hang: Callable[[], None],
    die: Callable[[], None],
) -> Belief:
    """Connect, let the broker hang, publish, let the broker die; return what is believed then.

    Args:
        confirm: whether the publisher waits for the broker's confirm of each message.
        hang: makes the broker hang: from then on, what is sent stays in buffers.
        die: kills it: what is in buffers is lost.
    """
    belief = Belief()

    def publish() -> None:
        try:
            with ground.channel(confirm=confirm) as on:
                hang()
                for body in bodies:
                    belief.begun += 1
                    on.basic_publish("", queue, body.encode(), _PERSISTENT)
                    belief.sent += 1
        except (AMQPError, OSError) as error:
            if belief.sent < len(bodies):  # else only closing the connection failed
                belief.error = type(error).__name__

    with ThreadPoolExecutor(max_workers=1) as pool:
        running = pool.submit(publish)
        try:
            eventually(
                "the publisher to wait for the broker, or to have sent everything",
                # The one that waits has begun; of the other, the last call has to have returned.
                lambda: belief.begun == 1 if confirm else belief.sent == len(bodies),
                within_s=PUBLISH_WITHIN_S,
            )
        finally:
            die()
        running.result(PUBLISH_WITHIN_S)
    return belief
