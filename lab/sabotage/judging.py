"""Was a defect caught, and by its right name? Pure: an audit in, a word out.

Caught is only what was seen: a run that crashed, or that ended with anything unknown, has not seen
the defect, however wrong it went.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from lab.checker.check import Audit
from lab.checker.measures import SUCCESS_RATIO
from lab.checker.verdict import Verdict
from lab.sabotage.defect import Defect, Red

TRUTH = "every stored match equals the season's truth"
NEWEST = "every stored match is the newest observation that took effect"

FOLLOWS: dict[Red, frozenset[Red]] = {
    # What is lost is missing in the store, and did not succeed.
    1: frozenset({TRUTH, SUCCESS_RATIO}),
    # What an older observation has overwritten is neither true nor the newest.
    3: frozenset({TRUTH, NEWEST}),
    NEWEST: frozenset({TRUTH}),
    # A valid match that is given up is missing in the store, and did not succeed.
    4: frozenset({TRUTH, SUCCESS_RATIO}),
}
"""What is red as well where a law is broken: the same defect, seen from another side."""


class Word(StrEnum):
    """What became of a defect."""

    CAUGHT = "caught"  # what had to be red is, and all others are valid
    MISNAMED = "misnamed"  # something else is red, or not all that had to be
    MISSED = "missed"  # valid in spite of it
    UNDECIDED = "undecided"  # something could not be seen
    FAILED = "failed"  # it crashed, or was not over in time


@dataclass(frozen=True, slots=True)
class Finding:
    """What became of one defect.

    Attributes:
        red: all that was red, laws first.
        why: in words, where it was not caught.
    """

    word: Word
    red: tuple[Red, ...] = ()
    why: str = ""


def judge(audit: Audit, defect: Defect) -> Finding:
    """Hold what was red against what had to be."""
    red, unknown = _of(audit, Verdict.INVALID), _of(audit, Verdict.UNKNOWN)
    if unknown:
        return Finding(Word.UNDECIDED, red, f"unknown: {said(unknown)}")
    if not red:
        return Finding(Word.MISSED, red, "valid in spite of it")
    wanted = set(defect.red)
    allowed = wanted | defect.may
    for each in tuple(allowed & set(red)):
        allowed |= FOLLOWS.get(each, frozenset())
    if absent := wanted - set(red):
        return Finding(Word.MISNAMED, red, f"not red: {said(absent)}; red: {said(red)}")
    if others := set(red) - allowed:
        return Finding(Word.MISNAMED, red, f"red as well: {said(others)}")
    return Finding(Word.CAUGHT, red)


def not_valid(audit: Audit) -> str:
    """All that is not valid, in words; empty if everything is."""
    return "; ".join(
        f"{name} {verdict}: {why}"
        for name, verdict, why in _judged(audit)
        if verdict is not Verdict.VALID
    )


def said(red: Collection[Red]) -> str:
    """Laws and checks, in words."""
    ordered = sorted(red, key=lambda each: (isinstance(each, str), each))
    return ", ".join(f"law {each}" if isinstance(each, int) else f"“{each}”" for each in ordered)


def _of(audit: Audit, verdict: Verdict) -> tuple[Red, ...]:
    found = (name for name, of, _ in _judged(audit) if of is verdict)
    return tuple(dict.fromkeys(found))


def _judged(audit: Audit) -> Iterable[tuple[Red, Verdict, str]]:
    for law in audit.findings:
        yield law.law, law.verdict, law.explanation
    for check in audit.checks:
        yield check.name, check.verdict, check.detail
    for objective in audit.objectives:
        yield objective.name, objective.verdict, objective.explanation
