"""Production's rules, rescaled for the lab: every duration is divided by one factor.

In the lab an hour of production is a minute: what would page after five minutes fires after five
seconds, with the very rules that production loads. Durations are those of `for`, of
`keep_firing_for`, of a group's `interval`, and in expressions those of ranges (`[5m]`, `[1h:1m]`)
and of `offset`. Numbers are not changed, so rules must give times as ranges, or by metrics.
"""

from __future__ import annotations

from typing import Any

from lab.clients.prometheus.promql import duration, seconds, tokens

SHORTEST_S = 5.0
"""No duration becomes shorter: a rate needs two scrapes, and one may be late on a busy machine."""

_DURATIONS = ("for", "keep_firing_for")


def scaled(rules: dict[str, Any], factor: float) -> dict[str, Any]:
    """A copy of a rules file, its durations divided.

    Args:
        rules: the content of a rules file of Prometheus: `{"groups": [{"name", "rules"}, …]}`.
        factor: 60 turns an hour into a minute. 1 gives an equal copy.

    Returns:
        The copy. Durations that were at least `SHORTEST_S` stay so; shorter ones are kept. A
        group's own `interval` is removed, so that the lab's evaluation interval applies. Labels and
        annotations are not changed.

    Raises:
        ValueError: a duration cannot be read.
    """
    groups = []
    for group in rules["groups"]:
        changed = [_rule(rule, factor) for rule in group["rules"]]
        kept = {key: value for key, value in group.items() if factor == 1 or key != "interval"}
        groups.append({**kept, "rules": changed})
    return {**rules, "groups": groups}


def _rule(rule: dict[str, Any], factor: float) -> dict[str, Any]:
    durations = {key: _shorter(str(rule[key]), factor) for key in _DURATIONS if key in rule}
    return {**rule, "expr": expression(str(rule["expr"]), factor), **durations}


def expression(promql: str, factor: float) -> str:
    """An expression with its ranges, subqueries and offsets divided by the factor."""
    return "".join(
        _shorter(token.text, factor) if token.kind == "duration" else token.text
        for token in tokens(promql)
    )


def _shorter(text: str, factor: float) -> str:
    length_s = seconds(text)
    return duration(max(length_s / factor, min(length_s, SHORTEST_S)))
