"""Reading PromQL as far as the lab must, and making rules quick with it."""

from __future__ import annotations

from typing import Any

import pytest

from lab.clients.prometheus.promql import Selector, duration, seconds, selectors, tokens
from lab.monitoring.rescale import expression, scaled

EXPRESSIONS = {
    'sum by (job) (rate(a:b_total{x="}", y!~"5m"}[5m])) / on (job) group_left (z) c offset 5m': [
        Selector('a:b_total{x="}",y!~"5m"}', 300),
        Selector("c", 0),
    ],
    'max_over_time(up{job="x"}[1h:1m]) or vector(0)': [Selector('up{job="x"}', 3600)],
    "time() - last > 2 * interval # not this [5m]": [
        Selector("last", 0),
        Selector("interval", 0),
    ],
    '{__name__=~"a|b"}': [Selector('{__name__=~"a|b"}', 0)],
    "sum(x) without (a) and absent(y) unless z > bool 1e3 + inf": [
        Selector("x", 0),
        Selector("y", 0),
        Selector("z", 0),
    ],
    "rate(a[5m]) + rate(a[5m]) + a": [Selector("a", 300), Selector("a", 0)],
    "vector(1)": [],
}


@pytest.mark.parametrize("text", EXPRESSIONS)
def test_the_selectors_of_an_expression_are_found(text: str) -> None:
    assert "".join(each.text for each in tokens(text)) == text
    assert selectors(text) == EXPRESSIONS[text]


@pytest.mark.parametrize(
    ("text", "length_s"), [("500ms", 0.5), ("90s", 90), ("1h30m", 5400), ("2d", 172800), ("0s", 0)]
)
def test_durations_are_read_and_written(text: str, length_s: float) -> None:
    assert seconds(text) == length_s
    assert seconds(duration(length_s)) == length_s


@pytest.mark.parametrize("text", ["", "5", "m", "5m ", "5 m", "-5m", "1.5h", "5x"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is no duration"):
        seconds(text)


def test_an_hour_is_a_minute_and_five_seconds_are_the_least() -> None:
    assert expression("rate(a[1h]) + b offset 2h", 60) == "rate(a[1m]) + b offset 2m"
    assert expression("rate(a[2m])", 60) == "rate(a[5s])"
    assert expression("rate(a[3s])", 60) == "rate(a[3s])"
    assert expression("max_over_time(a[1h:1m])", 60) == "max_over_time(a[1m:5s])"


def test_only_durations_change() -> None:
    text = 'a{b="5m", c!~"1h|2h"} > 300 * 2 # for [1h]'
    assert expression(text, 60) == text


def test_a_file_of_rules_is_made_quick_and_left_as_it_was() -> None:
    rule: dict[str, Any] = {
        "alert": "A",
        "expr": "increase(a[1h]) > 5",
        "for": "10m",
        "keep_firing_for": "1m",
        "labels": {"window": "1h"},
        "annotations": {"description": "not for 10m"},
    }
    rules = {"groups": [{"name": "g", "interval": "30s", "rules": [rule]}]}
    quick = scaled(rules, 60)

    assert quick == {
        "groups": [
            {
                "name": "g",
                "rules": [
                    {**rule, "expr": "increase(a[1m]) > 5", "for": "10s", "keep_firing_for": "5s"}
                ],
            }
        ]
    }
    assert rule["for"] == "10m"
    assert scaled(rules, 1) == rules
