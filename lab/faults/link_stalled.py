"""A partition that is not noticed: connections stay, and nothing comes through."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Link, Partitionable


@fault("link-stalled", Partitionable, marks=Marks(retries=True, reconnects=True))
def link_stalled(on: Target, link: str = Link.WORKER_BROKER) -> Iterator[None]:
    """Stall one link; it heals at the end."""
    assert isinstance(on.substrate, Partitionable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.stall(Link(link))
        yield
    finally:
        on.substrate.heal(Link(link))
