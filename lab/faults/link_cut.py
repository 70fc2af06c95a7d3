"""A partition that is noticed: connections break, new ones are refused."""

from __future__ import annotations

from collections.abc import Iterator

from lab.fault import Target, fault
from lab.settling import Marks
from lab.substrate import Link, Partitionable


@fault("link-cut", Partitionable, marks=Marks(retries=True, reconnects=True))
def link_cut(on: Target, link: str = Link.WORKER_BROKER) -> Iterator[None]:
    """Cut one link; it heals at the end."""
    assert isinstance(on.substrate, Partitionable)  # noqa: S101 - the registry has made sure
    try:
        on.substrate.cut(Link(link))
        yield
    finally:
        on.substrate.heal(Link(link))
