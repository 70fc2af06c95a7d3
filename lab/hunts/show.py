"""What a hunt prints: a line for each round, and what came of all of them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from lab.checker.verdict import Verdict, worst
from lab.faults.schedule import write
from lab.hunts.round import Outcome


def line(number: str, outcome: Outcome) -> str:
    """One round: its number, verdict, messages, length, seed and schedule; why if unknown."""
    told = (
        f"{number}  {outcome.verdict.sign} {outcome.verdict:<7}  {outcome.messages:>6,} messages  "
        f"{outcome.seconds:>3.0f} s  seed {outcome.trial.seed}  {write(outcome.trial.schedule)}"
    )
    if outcome.verdict is Verdict.UNKNOWN:
        told += f"\n     not known: {outcome.why.splitlines()[0] if outcome.why else 'no reason'}"
    return told


def verdict_of(outcomes: Sequence[Outcome]) -> Verdict:
    """The verdict over all rounds; unknown without any."""
    return worst(each.verdict for each in outcomes)


def summary(
    outcomes: Sequence[Outcome], smallest: Sequence[Outcome], seconds: float
) -> Iterator[str]:
    """What came of a hunt, with the commands that make again what was not valid."""
    verdict = verdict_of(outcomes)
    by = {each: sum(one.verdict is each for one in outcomes) for each in Verdict}
    faults = sum(len(each.trial.schedule) for each in outcomes)
    yield ""
    yield (
        f"{verdict.sign} {verdict.upper()}  {len(outcomes)} rounds, "
        f"{sum(each.messages for each in outcomes):,} messages, {faults} faults "
        f"in {seconds / 60:.1f} minutes: "
        + ", ".join(f"{count} {each}" for each, count in by.items() if count)
    )
    small = {each.trial.seed for each in smallest}
    for each in smallest:
        yield from _again(f"The smallest schedule that failed: {each.why}", each)
    for each in outcomes:
        if each.verdict is Verdict.INVALID and each.trial.seed not in small:
            yield from _again(f"This failed: {each.why}", each)
        elif each.verdict is Verdict.UNKNOWN:
            yield from _again(f"Not known of seed {each.trial.seed}; try it again:", each)


def _again(why: str, outcome: Outcome) -> Iterator[str]:
    yield ""
    yield f"  {why}"
    yield f"    {outcome.trial.command}"
