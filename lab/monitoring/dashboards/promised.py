"""The bounds that panels draw, read from lab/slo/slo.yaml: the same objectives everywhere."""

from __future__ import annotations

from lab.slo.spec import Slo, load


def success() -> float:
    """The share of messages that must take effect."""
    return _objective("success").goal.target


def latency_s() -> float:
    """What the mean latency must stay below, in seconds."""
    bound = _objective("latency-mean").goal.value
    if bound is None:
        raise ValueError("the objective latency-mean has no bound")
    return bound


def _objective(name: str) -> Slo:
    return next(slo for slo in load() if slo.name == name)
