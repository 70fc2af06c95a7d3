"""A router forgets connections: one side sees the end, the other waits on."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Link, Partitionable


@fault("link-half-open", Partitionable, marks=Marks(retries=True, reconnects=True))
def link_half_open(on: Target, link: str = Link.WORKER_BROKER) -> Iterator[None]:
    """Close the callers' side of one link only; the other side is closed at the end."""
    assert isinstance(on.substrate, Partitionable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.half_open(Link(link))
        yield
    finally:
        on.substrate.heal(Link(link))
