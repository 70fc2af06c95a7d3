"""When a worker stops taking matches because all it does is fail: pure decisions.

    released ── so many different messages in a row met a bug ──> paused ── pause over ──> trying
        ^                                                           ^                        │
        │                                                           └── a bug: a longer one ─┤
        └───────────────── a message was handled as was foreseen ────────────────────────────┘

A bad version of the worker costs time then, not messages: they stay in the queue. What counts are
*different* messages: one message that meets a bug at each of its attempts says nothing about the
others. `worker.braking` carries out what is decided here.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

TRY_WITHIN_S = 30.0
"""Seconds beyond a task's time limit after which a try without an outcome is made again."""


class Phase(StrEnum):
    """RELEASED: takes deliveries. PAUSED: takes none. TRYING: takes one, and waits for its end."""

    RELEASED = "released"
    PAUSED = "paused"
    TRYING = "trying"


@dataclass(frozen=True, slots=True)
class Limits:
    """How the brake is set.

    Attributes:
        messages: so many different ones in a row must meet a bug; 0: the brake is never applied.
        pause_s: the first pause; each further one is twice as long,
        pause_max_s: up to this.
        try_s: a try whose outcome is not known after this is made again.
    """

    messages: int
    pause_s: float
    pause_max_s: float
    try_s: float

    def pause(self, number: int) -> float:
        """The seconds of a pause, from number 1."""
        return min(self.pause_max_s, self.pause_s * 2.0 ** min(number - 1, 30))


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of messages until now.

    Attributes:
        in_a_row: different ones that met a bug since the last that met none.
        bugs: attempts that met a bug.
        others: attempts that met none: an effect, a dead letter, an outage that was foreseen.
    """

    in_a_row: int = 0
    bugs: int = 0
    others: int = 0


@dataclass(frozen=True, slots=True)
class State:
    """Where the brake is.

    Attributes:
        pauses: in a row.
        until: when the pause, or the patience with a try, is over. None in a try: no message was
            there to be taken yet.
        since: the tally when the phase began.
    """

    phase: Phase = Phase.RELEASED
    pauses: int = 0
    until: float | None = None
    since: Tally = Tally()


def next_state(state: State, tally: Tally, now: float, limits: Limits) -> State:
    """Decide what comes next; the same state if nothing changes.

    Args:
        state: the brake's until now.
        tally: what became of messages until now.
        now: seconds of a clock that only goes forward.
        limits: how the brake is set.
    """
    if state.phase is Phase.RELEASED:
        applied = 0 < limits.messages <= tally.in_a_row
        return _pause(1, tally, now, limits) if applied else state
    if tally.others != state.since.others:
        return State()
    over = state.until is not None and now >= state.until
    if state.phase is Phase.TRYING and tally.bugs != state.since.bugs:
        return _pause(state.pauses + 1, tally, now, limits)
    return State(Phase.TRYING, state.pauses, None, tally) if over else state


def taken(state: State, now: float, limits: Limits) -> State:
    """The message of a try was taken; its outcome is waited for from now on."""
    return State(state.phase, state.pauses, now + limits.try_s, state.since)


def _pause(number: int, tally: Tally, now: float, limits: Limits) -> State:
    return State(Phase.PAUSED, number, now + limits.pause(number), tally)
