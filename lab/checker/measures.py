"""How well a run did: latency, throughput, success, and whether the objectives are met."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from lab.checker.outcomes import Outcome, Outcomes, outcome
from lab.checker.tally import Tally
from lab.checker.verdict import Verdict
from lab.errors import CannotRun
from lab.slo import spec

SUCCESS_RATIO = "success_ratio"
LATENCY_MEAN = "latency_mean_ms"
NAMES = (SUCCESS_RATIO, LATENCY_MEAN)

GOOD = frozenset({Outcome.COMMITTED, Outcome.UNCHANGED})
OPEN = frozenset({Outcome.WAITING, Outcome.UNDECIDED})


class Passage(NamedTuple):
    """The way of one attempted message.

    Attributes:
        published_at: when it was first published.
        ended_at: when it first took effect, or was dead-lettered; None if neither was seen.
        outcome: what became of it.
        counted: accepted and valid, so that it counts for the success ratio.
    """

    published_at: datetime
    ended_at: datetime | None
    outcome: Outcome
    counted: bool

    @property
    def latency_ms(self) -> float | None:
        """Milliseconds from publish to end; None without an end, or if rightly dead-lettered."""
        if self.ended_at is None or self.outcome is Outcome.DEAD_LETTERED:
            return None
        elapsed = (self.ended_at - self.published_at).total_seconds() * 1000
        # A broker dates its dead letters by the second: such a one may seem to die too early.
        return max(0.0, elapsed) if self.outcome is Outcome.FAILED else elapsed


class Latency(NamedTuple):
    """Milliseconds from publish to the end. Percentiles by nearest rank: each one was measured."""

    mean: float
    p50: float
    p95: float
    p99: float
    max: float


@dataclass(frozen=True, slots=True)
class Objective:
    """A service level objective, evaluated.

    Attributes:
        value: what was measured; None if there is nothing to measure.
        objective: the goal; None if the run set none.
        met: whether the value meets the goal; None if that is not known, or there is none.
    """

    name: str
    value: float | None
    objective: float | None
    met: bool | None
    explanation: str

    @property
    def verdict(self) -> Verdict:
        """Valid if met, and if there is no goal; unknown if it is not known."""
        if self.met is None:
            return Verdict.VALID if self.objective is None else Verdict.UNKNOWN
        return Verdict.VALID if self.met else Verdict.INVALID


def passages(seen: Tally, outcomes: Outcomes) -> list[Passage]:
    """The way of every attempted message."""
    ways = []
    for message_id, attempt in seen.attempted.items():
        ended_at = None
        if message_id in outcomes.effects:
            ended_at = outcomes.effects[message_id].committed_at
        elif message_id in seen.dead:
            ended_at = seen.dead[message_id].died_at
        ways.append(
            Passage(
                attempt.published_at,
                ended_at,
                outcome(message_id, seen, outcomes),
                attempt.valid and message_id in seen.accepted,
            )
        )
    return ways


def latency(ways: Sequence[Passage]) -> Latency | None:
    """Latency over every message that ended; None if none did."""
    taken = sorted(ms for way in ways if (ms := way.latency_ms) is not None)
    if not taken:
        return None
    return Latency(
        fmean(taken),
        nearest_rank(taken, 0.50),
        nearest_rank(taken, 0.95),
        nearest_rank(taken, 0.99),
        taken[-1],
    )


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """The smallest of `ordered` that at least `share` (0 to 1) of them do not exceed."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def rates(ways: Sequence[Passage]) -> tuple[float | None, float | None]:
    """Messages a second: effects, from the first publish to the last commit; and arrivals.

    Each is None if its time is too short to tell.
    """
    if not ways:
        return None, None
    first = min(way.published_at for way in ways)
    ends = [way.ended_at for way in ways if way.ended_at is not None and way.outcome in GOOD]
    last_published = max(way.published_at for way in ways)
    return (
        _rate(len(ends), first, max(ends)) if ends else 0.0,
        _rate(len(ways) - 1, first, last_published),
    )


def _rate(count: int, first: datetime, last: datetime) -> float | None:
    seconds = (last - first).total_seconds()
    return count / seconds if seconds > 0 else None


def usual_objectives(path: Path = spec.FILE) -> dict[str, float]:
    """The goals of a run that sets none of its own: the objectives of `slo.yaml`.

    Raises:
        CannotRun: the file cannot be read, or lacks one of them.
    """
    goals = {each.name: each.goal for each in spec.load(path)}
    success, mean = goals.get("success"), goals.get("latency-mean")
    if success is None or mean is None or mean.value is None:
        raise CannotRun(f"{path} must hold objectives `success`, and `latency-mean` with its value")
    return {SUCCESS_RATIO: success.target, LATENCY_MEAN: mean.value * 1000}


def objectives(
    ways: Sequence[Passage], measured: Latency | None, asked: Mapping[str, float | None]
) -> tuple[Objective, ...]:
    """Evaluate both objectives. `asked` replaces the goals that it names; None removes one."""
    wanted: dict[str, float | None] = {**usual_objectives(), **asked}
    return (
        _success(ways, wanted[SUCCESS_RATIO]),
        _mean(ways, measured, wanted[LATENCY_MEAN]),
    )


def _success(ways: Sequence[Passage], wanted: float | None) -> Objective:
    counted = [way.outcome for way in ways if way.counted]
    if not counted:
        return Objective(SUCCESS_RATIO, None, wanted, None, "no valid message was accepted")
    good = sum(each in GOOD for each in counted)
    still_open = sum(each in OPEN for each in counted)
    ratio = good / len(counted)
    said = f"{good:,} of {len(counted):,} accepted valid messages took effect"
    if still_open:
        said += f"; {still_open:,} are undecided"
    met: bool | None = None
    if wanted is not None and ratio >= wanted:
        met = True
    elif wanted is not None and (good + still_open) / len(counted) < wanted:
        met = False
    return Objective(SUCCESS_RATIO, ratio, wanted, met, said)


def _mean(ways: Sequence[Passage], measured: Latency | None, wanted: float | None) -> Objective:
    if measured is None:
        return Objective(LATENCY_MEAN, None, wanted, None, "no message ended")
    taken = [ms for way in ways if (ms := way.latency_ms) is not None]
    said = f"over {len(taken):,} messages"
    if early := sum(ms < 0 for ms in taken):
        said += f"; {early:,} ended before they were published: the clocks disagree"
        return Objective(LATENCY_MEAN, measured.mean, wanted, None, said)
    met = None if wanted is None else measured.mean < wanted
    return Objective(LATENCY_MEAN, measured.mean, wanted, met, said)
