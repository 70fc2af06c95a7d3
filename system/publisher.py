"""Publishing that says what became of every message: confirmed, refused, or unknown.

One connection; messages are persistent and `mandatory`; up to a window of them is on its way
unconfirmed at a time, since waiting for each confirm alone would cost a round trip and a disk write
apiece. A lost connection is opened again with growing, jittered pauses, and what was not confirmed
is sent again under its own id: the store's receipts make that harmless.

The loop runs only inside `publish`, in the thread that calls it; there is no thread of its own, so
nothing beats for an idle connection either. One that was idle for long is replaced, not trusted.

Scraper, worker (retries, dead letters) and operator's tools publish by this one module.
"""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import Any

import pika
from pika.adapters.select_connection import IOLoop, SelectConnection
from pika.channel import Channel
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    ConnectionOpenAborted,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)
from pika.spec import PERSISTENT_DELIVERY_MODE, Basic, BasicProperties

from system.batch import Batch, Confirmation, Confirmed
from system.contract.envelope import Envelope

__all__ = ["Confirmation", "Confirmed", "Publisher", "pause_s"]

WINDOW = 500
BACKOFF_FIRST_S, BACKOFF_MAX_S = 0.1, 5.0
HEARTBEAT_S = 10
IDLE_MAX_S = float(HEARTBEAT_S)
CLOSE_WITHIN_S = 2.0
_DROP_WITHIN_S = 1.0

# No right; no such exchange; a message or a property that the broker does not take.
_LASTING = (403, 404, 406, 311)


def pause_s(failures: int, chance: float) -> float:
    """How long to wait after `failures` in a row before connecting again, in seconds. Pure.

    Args:
        failures: at least 1.
        chance: between 0 and 1; spreads those who lost the same broker at the same moment.
    """
    longest = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2.0 ** min(failures - 1, 30))
    return longest / 2 * (1 + chance)


class Publisher:
    """A confirmed publisher; see the module's text. Use as a context manager.

    Not for two threads at once. It may be made before a fork, as long as it is used only after.

    Args:
        url: amqp://user:password@host:port/vhost
        window: messages on their way unconfirmed at most.
        name: shown among the broker's connections.
        rng: for the jitter of the pauses between connection attempts.
        idle_max_s: a connection that was not used for longer is replaced before the next message.
    """

    def __init__(
        self,
        url: str,
        *,
        window: int = WINDOW,
        name: str = "publisher",
        rng: random.Random | None = None,
        idle_max_s: float = IDLE_MAX_S,
    ) -> None:
        self._parameters = pika.URLParameters(url)
        self._parameters.heartbeat = HEARTBEAT_S
        self._parameters.blocked_connection_timeout = 15
        self._parameters.socket_timeout = 5
        self._parameters.stack_timeout = 5
        self._parameters.connection_attempts = 1  # attempts and their pauses are ours
        self._parameters.client_properties = {"connection_name": name}
        self._window = window
        self._rng = rng or random.Random()
        self._idle_max_s = idle_max_s
        self._used_at = time.monotonic()
        self._loop: IOLoop | None = None
        self._connection: SelectConnection | None = None
        self._channel: Channel | None = None
        self._blocked = False
        self._failures = 0
        self._next_tag = 1
        self._trouble = ""
        self._work: _Work | None = None

    def __enter__(self) -> Publisher:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
