"""Whether the samples behind a query are fresh: a query for Prometheus, and its evaluation.

For each selector two things are queried: when its newest sample was taken (`timestamp` gives that
of a selector, not of an expression), and, if it has a range, whether there is any sample in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lab.clients.prometheus.promql import Selector, duration
from lab.clients.prometheus.results import NoData, NoDataReason

LABEL = "asked_about"
_NEWEST, _ANY = "newest", "any"


def question(asked: Sequence[Selector]) -> str:
    """One query for all selectors: a series for each, distinguished by `LABEL`."""
    parts = []
    for number, each in enumerate(asked):
        parts.append(_labelled(f"max(timestamp({each.text}))", f"{_NEWEST}-{number}"))
        if each.range_s:
            within = f"{each.text}[{duration(each.range_s)}]"
            parts.append(_labelled(f"count(last_over_time({within}))", f"{_ANY}-{number}"))
    return " or ".join(parts)


def problem(
    asked: Sequence[Selector], answer: Mapping[str, float], moment: float, fresh_s: float
) -> NoData | None:
    """What is not fresh; None if nothing is wrong.

    Args:
        asked: the selectors.
        answer: of `question`, values by `LABEL`.
        moment: the time of the query, seconds since the epoch.
        fresh_s: how old the newest sample of each selector may be.

    A selector without any sample is no problem by itself, for the query has answered without it.
    """
    absent = 0
    for number, each in enumerate(asked):
        newest = answer.get(f"{_NEWEST}-{number}")
        if newest is None:
            if f"{_ANY}-{number}" in answer:
                return NoData(NoDataReason.STALE, f"{each.text} has samples of the past only")
            absent += 1
        elif moment - newest > fresh_s:
            return NoData(
                NoDataReason.STALE,
                f"the newest sample of {each.text} is {moment - newest:.0f} s old",
            )
    if asked and absent == len(asked):
        return NoData(NoDataReason.EMPTY, "none of the series has a sample")
    return None


def _labelled(query: str, value: str) -> str:
    return f'label_replace({query}, "{LABEL}", "{value}", "", "")'
