"""Probes and actions for experiments that must not pass, and one for those that may."""

from __future__ import annotations

import os
import signal
from typing import Any

from chaoslib.exceptions import ActivityFailed
from chaoslib.exit import exit_gracefully

from chaos.running import current


def yes() -> bool:
    """What a good probe gives."""
    return True


def give(value: Any = None) -> Any:
    """Whatever is asked for."""
    return value


def nan() -> float:
    """What Prometheus gives for 0/0."""
    return float("nan")


def act() -> dict[str, Any]:
    """What a good action gives."""
    return {"did": "something"}


def fail() -> None:
    """An action that does not work."""
    raise ActivityFailed("it did not work")


def crash() -> None:
    """An action with a bug."""
    raise ZeroDivisionError


def interrupt() -> None:
    """Somebody ends the whole run."""
    exit_gracefully()


def terminate() -> None:
    """SIGTERM: the toolkit takes it for a failure of the action, and goes on."""
    os.kill(os.getpid(), signal.SIGTERM)


def lose_a_message() -> dict[str, str]:
    """Let the ledger believe that a message was accepted which was never sent."""
    ledger = current().lab.ledger
    ledger.attempt(
        message_id="gone",
        expect="effect",
        sender="lab",
        identity="none",
        published_at=None,
        observed_at=None,
    )
    ledger.accept("gone", "queue")
    return {"lost": "gone"}
