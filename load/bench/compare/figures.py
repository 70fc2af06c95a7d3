"""Medians, ratios and the table, from the turns. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from load.bench.compare.turn import Turn


@dataclass(frozen=True, slots=True)
class Rate:
    """The rounds of one contender.

    Attributes:
        per_s: the median of its rates; None if any of its turns has none.
        lowest, highest: of its rates.
        why_not: its first complaint.
    """

    contender: str
    ours: bool
    per_s: float | None
    lowest: float | None
    highest: float | None
    cpu_us: float | None
    memory_mib: float | None
    why_not: str = ""


@dataclass(frozen=True, slots=True)
class Ratio:
    """Ours over the best other.

    Attributes:
        value: of the medians.
        lowest, highest: of the rounds, each over the best other of the same round.
        best: which other has the highest median.
    """

    contender: str
    best: str
    value: float
    lowest: float
    highest: float


def rates(rounds: Sequence[Sequence[Turn]]) -> list[Rate]:
    """One for each contender, the fastest first; those without a number last."""
    names = dict.fromkeys(turn.contender for turns in rounds for turn in turns)
    found = [_rate([t for turns in rounds for t in turns if t.contender == name]) for name in names]
    return sorted(found, key=lambda rate: -(rate.per_s or 0))


def ratios(rounds: Sequence[Sequence[Turn]]) -> list[Ratio]:
    """One for each way of ours.

    None at all if one of the others has no number: which of them is the best is not known then.
    """
    known = rates(rounds)
    others = [rate for rate in known if not rate.ours]
    if not others or any(rate.per_s is None for rate in others):
        return []
    best = max(others, key=lambda rate: rate.per_s or 0)
    found = []
    for rate in known:
        if not rate.ours or rate.per_s is None or best.per_s is None:
            continue
        by_round = [_of_round(turns, rate.contender) for turns in rounds]
        found.append(
            Ratio(
                rate.contender,
                best.contender,
                round(rate.per_s / best.per_s, 2),
                round(min(by_round), 2),
                round(max(by_round), 2),
            )
        )
    return found


def table(rounds: Sequence[Sequence[Turn]]) -> list[str]:
    """Lines of Markdown."""
    lines = [
        "| | messages/s, median (lowest to highest) | CPU µs a message | workers' memory, MiB |",
        "|---|---|---|---|",
    ]
    for rate in rates(rounds):
        if rate.per_s is None:
            lines.append(f"| {rate.contender} | no number: {rate.why_not} | | |")
            continue
        lines.append(
            f"| {rate.contender} | {rate.per_s:,.0f} ({rate.lowest:,.0f} to {rate.highest:,.0f})"
            f" | {rate.cpu_us:,.0f} | {rate.memory_mib:,.0f} |"
        )
    lines.append("")
    found = ratios(rounds)
    lines += [
        f"- {each.contender}: **{each.value:.2f} times** {each.best}, the best of the others"
        f" ({each.lowest:.2f} to {each.highest:.2f} in the rounds)"
        for each in found
    ]
    if not found:
        lines.append("- no ratio: a contender has no number")
    return lines


def _rate(turns: Sequence[Turn]) -> Rate:
    given = [turn.per_s for turn in turns if turn.per_s is not None]
    first = turns[0]
    if len(given) < len(turns):
        why = next(each for turn in turns for each in turn.complaints)
        return Rate(first.contender, first.ours, None, None, None, None, None, why)
    return Rate(
        first.contender,
        first.ours,
        round(statistics.median(given), 1),
        min(given),
        max(given),
        round(statistics.median(turn.cpu_us_total or 0 for turn in turns), 1),
        round(statistics.median(turn.memory_mib or 0 for turn in turns), 1),
    )


def _of_round(turns: Sequence[Turn], contender: str) -> float:
    ours = next(turn.per_s for turn in turns if turn.contender == contender)
    best = max(turn.per_s or 0 for turn in turns if not turn.ours)
    return (ours or 0) / best
