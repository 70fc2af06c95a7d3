"""A bad line: everything comes through, late."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Link, Partitionable


@fault("link-slowed", Partitionable, marks=Marks(retries=True, reconnects=True))
def link_slowed(
    on: Target,
    link: str = Link.WORKER_BROKER,
    latency_s: float = 0.2,
    bytes_per_s: float = 0.0,
) -> Iterator[None]:
    """Delay one link (seconds each way, bytes a second; 0: no bound); it heals at the end."""
    assert isinstance(on.substrate, Partitionable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.slow(Link(link), latency_s=latency_s, bytes_per_s=bytes_per_s)
        yield
    finally:
        on.substrate.heal(Link(link))
