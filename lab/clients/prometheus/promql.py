"""Reads PromQL as far as the lab needs it: its tokens, its selectors, its durations.

No parser of the language (Prometheus has that one), only what holds for any valid expression: text
in quotes and comments is not changed, and neither are labels in braces.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_TOKEN = re.compile(
    r"""
    (?P<string>"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|`[^`]*`)
  | (?P<comment>\#[^\n]*)
  | (?P<space>\s+)
  | (?P<duration>(?:\d+(?:ms|[smhdwy]))+(?!\w))
  | (?P<number>(?:0x[0-9a-fA-F]+|(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)(?!\w))
  | (?P<word>[a-zA-Z_][\w:]*)
  | (?P<mark>==|!=|<=|>=|=~|!~|.)
    """,
    re.VERBOSE | re.DOTALL,
)
_UNIT_S = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
_PART = re.compile(r"(\d+)(ms|[smhdwy])")

# Words that are followed by a list of labels in parentheses, and other words that name no metric.
_TAKE_LABELS = frozenset({"by", "without", "on", "ignoring", "group_left", "group_right"})
_KEYWORDS = frozenset({"and", "or", "unless", "offset", "bool", "atan2", "inf", "nan"})


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of an expression; all of them joined give the expression again.

    Attributes:
        kind: `string`, `comment`, `space`, `duration`, `number`, `word` or `mark`.
    """

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector of series in an expression.

    Attributes:
        text: the selector alone, without range and offset.
        range_s: the width of its range, in seconds; 0 for an instant selector.
    """

    text: str
    range_s: float


def tokens(expression: str) -> list[Token]:
    """The pieces of an expression, in its order."""
    return [Token(str(found.lastgroup), found.group()) for found in _TOKEN.finditer(expression)]


def seconds(duration: str) -> float:
    """The length of a duration as Prometheus writes it, `1h30m`, in seconds.

    Raises:
        ValueError: it is no duration.
    """
    parts = _PART.findall(duration)
    if not parts or "".join(number + unit for number, unit in parts) != duration:
        raise ValueError(f"{duration!r} is no duration; write it like 5m, 1h30m or 500ms")
    return sum(int(number) * _UNIT_S[unit] for number, unit in parts)


def duration(length_s: float) -> str:
    """The shortest single-unit way to write a length in seconds, to the millisecond."""
    milliseconds = round(length_s * 1000)
    for unit in ("d", "h", "m", "s"):
        if milliseconds and milliseconds % round(_UNIT_S[unit] * 1000) == 0:
            return f"{milliseconds // round(_UNIT_S[unit] * 1000)}{unit}"
    return f"{milliseconds}ms"


def selectors(expression: str) -> list[Selector]:
    """Every selector of an expression, once for each range it is used with."""
    return list(dict.fromkeys(_selectors(_meaningful(expression))))


def _meaningful(expression: str) -> list[Token]:
    return [token for token in tokens(expression) if token.kind not in ("space", "comment")]


def _selectors(row: list[Token]) -> Iterator[Selector]:
    at = 0
    while at < len(row):
        here = row[at]
        following = row[at + 1].text if at + 1 < len(row) else ""
        if here.kind == "word" and here.text.lower() in _TAKE_LABELS:
            at = _after(row, at + 1, ")") if following == "(" else at + 1
        elif here.text == "{" or (here.kind == "word" and _names_a_metric(here.text, following)):
            end = at if here.text == "{" else at + 1
            if end < len(row) and row[end].text == "{":
                end = _after(row, end, "}")
            text = "".join(token.text for token in row[at:end])
            yield Selector(text, _range_s(row[end : end + 3]))
            at = end
        else:
            at += 1


def _names_a_metric(word: str, following: str) -> bool:
    lower = word.lower()
    if lower in _KEYWORDS or following == "(":
        return False
    # An aggregation may have its grouping first: `sum by (job) (…)`.
    return following.lower() not in ("by", "without")


def _after(row: list[Token], at: int, closing: str) -> int:
    """The place after the next `closing`; strings are single tokens, so it cannot be inside one."""
    while at < len(row) and row[at].text != closing:
        at += 1
    return at + 1


def _range_s(row: list[Token]) -> float:
    """The width of `[5m]`; a subquery's `[1h:1m]` counts by its first part."""
    if len(row) > 1 and row[0].text == "[" and row[1].kind == "duration":
        return seconds(row[1].text)
    return 0.0
