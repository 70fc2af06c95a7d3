"""Formats values for people: numbers, times, and text from outside, made safe to print."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lab.checker.measures import LATENCY_MEAN, SUCCESS_RATIO, Objective
from lab.checker.verdict import Verdict

NOTHING = "-"
"""Printed instead of a missing value."""

OBJECTIVE_NAMES = {SUCCESS_RATIO: "success ratio", LATENCY_MEAN: "mean latency"}


def clean(text: str, limit: int = 400) -> str:
    """Text from outside on one line, without control characters (they act on a terminal), cut."""
    line = "".join(char if char.isprintable() else " " for char in text[: limit + 1])
    line = " ".join(line.split())
    return line if len(text) <= limit else f"{line[: limit - 1]}…"


def format_value(value: Any) -> str:
    """A value for people: `1,040`, `0.25`, `yes`, `a: 1, b: 2`; safe for a terminal."""
    match value:
        case None:
            text = "nothing"
        case bool():
            text = "yes" if value else "no"
        case int():
            text = f"{value:,}"
        case float():
            text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
        case Mapping():
            text = (
                ", ".join(f"{key}: {format_value(each)}" for key, each in value.items())
                or "nothing"
            )
        case str():
            text = value or "(empty)"
        case Sequence():
            text = ", ".join(map(format_value, value)) or "nothing"
        case _:
            text = str(value)
    return clean(text)


def milliseconds(value: float | None) -> str:
    """A latency: `4.2 ms`, `420 ms`, `4.2 s`; a dash if there is none."""
    if value is None:
        return NOTHING
    if abs(value) >= 10_000:
        return f"{value / 1000:,.1f} s"
    return f"{value:,.0f} ms" if abs(value) >= 100 else f"{value:.1f} ms"


def per_second(value: float | None) -> str:
    """A rate: `12.5/s`; a dash if it is not known."""
    if value is None:
        return NOTHING
    return f"{value:,.0f}/s" if value >= 100 else f"{value:.1f}/s"


def format_measured(objective: Objective) -> str:
    """The measured value of an objective, for people."""
    if objective.value is None:
        return "not measured"
    if objective.name == SUCCESS_RATIO:
        # Never rounded up: 0.99999 is not 1.
        return f"{int(objective.value * 1e5) / 1e3:g} %"
    return milliseconds(objective.value)


def format_goal(objective: Objective) -> str:
    """The goal of an objective, for people."""
    if objective.objective is None:
        return "no objective"
    if objective.name == SUCCESS_RATIO:
        return f"at least {objective.objective * 100:g} %"
    return f"under {milliseconds(objective.objective)}"


def sign(objective: Objective) -> str:
    """✓ met, ✗ missed, ? not known, - without an objective."""
    asked_for_nothing = objective.objective is None
    return NOTHING if asked_for_nothing else objective.verdict.sign


HEADLINES = {
    Verdict.VALID: "Everything holds.",
    Verdict.INVALID: "Something that was promised does not hold.",
    Verdict.UNKNOWN: "Not everything could be decided, so this run proves nothing.",
}
