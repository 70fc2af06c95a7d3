"""Why a message was given up: the reasons in dead letters, and whose fault each one is.

The broker gives up messages too (`delivery_limit`, `rejected`, …); those words are its own.
"""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Why a worker gave a message up.

    INVALID       the match breaks the contract
    UNREADABLE    it is no message that any task could read
    UNKNOWN_TASK  it is for a task that does not exist here, or not in the queue it came by
    REFUSED       the backend understood the request and refused it: a missing route, perhaps
    EXHAUSTED     it was tried as often as the policy allows
    """

    INVALID = "invalid"
    UNREADABLE = "unreadable"
    UNKNOWN_TASK = "unknown-task"
    REFUSED = "refused"
    EXHAUSTED = "exhausted"


OWN_FAULT = frozenset({Reason.INVALID, Reason.UNREADABLE, Reason.UNKNOWN_TASK})
"""The message's own fault: to give it up was right. With any other reason the pipeline failed."""

UNROUTABLE = "unroutable"
"""The reason of a message that no worker has seen: the exchange it was sent to had no queue for it,
and its sender did not ask for it back."""
