"""Every reason of a dead letter, ours and the broker's, and what an operator does about it."""

from __future__ import annotations

from difflib import get_close_matches

from system.contract.reasons import UNROUTABLE, Reason
from system.errors import PipelineError, abbreviate

_REPLAY = "remove the cause, then replay"

ADVICE: dict[str, str] = {
    Reason.INVALID: "it breaks the contract: repair its sender, then discard",
    Reason.UNREADABLE: "no worker can read it: repair its sender, then discard",
    Reason.UNKNOWN_TASK: "no such task in its queue: repair its sender, then discard",
    Reason.REFUSED: f"the backend refused it for good: {_REPLAY}",
    Reason.EXHAUSTED: f"an outage or a bug lasted for a day: {_REPLAY}",
    UNROUTABLE: "no queue took it: `python -m system.contract check`, then replay",
    "delivery_limit": "it may kill workers: find out why before a replay",
    "rejected": f"a bug of the worker: {_REPLAY}",
    "expired": f"it waited too long in a queue: {_REPLAY}",
    "maxlen": f"its queue was full: {_REPLAY}",
    "unknown": "nothing in it says why; look at it",
}


class UnknownReason(PipelineError):  # noqa: N818
    """No dead letter can have this reason. Lists those that there are."""


def known(word: str) -> str:
    """Return `word`, if it is a reason.

    Raises:
        UnknownReason: it is none.
    """
    if word in ADVICE:
        return word
    near = get_close_matches(word, ADVICE, n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    raise UnknownReason(f"{abbreviate(word)} is no reason{meant}; there are {', '.join(ADVICE)}")
