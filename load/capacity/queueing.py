"""How long messages wait, and how long a backlog lasts. Pure.

Waiting is Kingman's formula for one server with any arrivals and any times of service ("The single
server queue in heavy traffic", 1961): W = u / (1 - u) * k, where `u` is the share of what is taken
that arrives, and `k` is the mean time of service times how irregular arrivals and service are.
Batches, commits on disk and other programs make them irregular, so `k` is found from a latency that
was measured.
"""

from __future__ import annotations

import math


def drain_s(backlog: int, takes_per_s: float, arriving_per_s: float = 0.0) -> float:
    """Seconds until nothing waits any more; infinite if more arrives than is taken."""
    gains = takes_per_s - arriving_per_s
    if backlog <= 0:
        return 0.0
    return backlog / gains if gains > 0 else math.inf


def wait_ms(arriving_per_s: float, takes_per_s: float, mean_ms: float, alone_ms: float) -> float:
    """`k` in milliseconds: what is waited at half the rate that is taken.

    Args:
        mean_ms: measured at that rate.
        alone_ms: measured where nothing waits.

    Raises:
        ValueError: at that rate the mean has no limit.
    """
    if not 0 < arriving_per_s < takes_per_s:
        raise ValueError(
            f"a rate between 0 and {takes_per_s:g}/s is needed, not {arriving_per_s:g}"
        )
    used = arriving_per_s / takes_per_s
    return max(mean_ms - alone_ms, 0.0) * (1 - used) / used


def mean_ms(arriving_per_s: float, takes_per_s: float, alone_ms: float, wait_ms: float) -> float:
    """Milliseconds from publish to commit in the mean; infinite from saturation on."""
    if arriving_per_s >= takes_per_s:
        return math.inf
    used = arriving_per_s / takes_per_s
    return alone_ms + wait_ms * used / (1 - used)


def largest_rate(takes_per_s: float, alone_ms: float, wait_ms: float, goal_ms: float) -> float:
    """The largest arrival rate whose mean latency keeps the goal; 0 if none does."""
    if alone_ms > goal_ms:
        return 0.0
    if wait_ms == 0:
        return takes_per_s
    room = (goal_ms - alone_ms) / wait_ms
    return takes_per_s * room / (1 + room)
