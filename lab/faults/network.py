"""Links between roles that are cut, stalled, slowed or half-opened, and connections closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

from lab.clients.amqp import CONNECTION_NAME
from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.abilities import Partitionable
from lab.substrates.plan import Link
from lab.substrates.protocol import Substrate
from lab.wait import eventually

KNOWN_WITHIN_S = 60.0
"""The management API learns of connections every five seconds."""
_BOTH = Leaves.RETRIES | Leaves.RECONNECTS


def _broken(
    on: Target[Partitionable], link: Link, breach: Callable[[Link], None]
) -> Iterator[None]:
    try:
        breach(link)
        yield
    finally:
        on.substrate.heal(link)


@fault("link-cut", Partitionable, leaves=_BOTH, strikes="{link}")
def link_cut(on: Target[Partitionable], link: Link = Link.WORKER_BROKER) -> Iterator[None]:
    """Cut one link: connections break, new ones are refused; it heals at the end."""
    yield from _broken(on, link, on.substrate.cut)


@fault("link-half-open", Partitionable, leaves=_BOTH, strikes="{link}")
def link_half_open(on: Target[Partitionable], link: Link = Link.WORKER_BROKER) -> Iterator[None]:
    """Close the callers' side of one link only; the other side is closed at the end."""
    yield from _broken(on, link, on.substrate.half_open)


@fault("link-slowed", Partitionable, leaves=_BOTH, strikes="{link}")
def link_slowed(
    on: Target[Partitionable],
    link: Link = Link.WORKER_BROKER,
    latency_s: float = 0.2,
    bytes_per_s: float = 0.0,
    jitter_s: float = 0.0,
) -> Iterator[None]:
    """Delay one link (seconds each way, bytes a second; 0: no bound); it heals at the end."""
    slow = partial(
        on.substrate.slow, latency_s=latency_s, bytes_per_s=bytes_per_s, jitter_s=jitter_s
    )
    yield from _broken(on, link, slow)


@fault("link-stalled", Partitionable, leaves=_BOTH, strikes="{link}")
def link_stalled(on: Target[Partitionable], link: Link = Link.WORKER_BROKER) -> Iterator[None]:
    """Stall one link: nothing passes, connections stay; it heals at the end."""
    yield from _broken(on, link, on.substrate.stall)


@fault("broker-partitioned", Partitionable, leaves=_BOTH, strikes="*-broker")
def broker_partitioned(on: Target[Partitionable], node: int = 0) -> Iterator[None]:
    """Cut the broker, or one node of it, off from its clients alone; that heals at the end."""
    cut: list[Link] = []
    try:
        for link in (Link.SCRAPER_BROKER, Link.WORKER_BROKER):
            on.substrate.cut(link, node)
            cut.append(link)
        yield
    finally:
        for link in cut:
            on.substrate.heal(link)


@fault("connections-closed", leaves=Leaves.RECONNECTS, strikes="broker")
def connections_closed(on: Target[Substrate]) -> Iterator[None]:
    """Close every connection to the broker but the lab's own; clients come back by themselves."""
    eventually(
        "a connection that can be closed",
        lambda: on.endpoints.management.close_connections(spare=CONNECTION_NAME),
        within_s=KNOWN_WITHIN_S,
        every_s=0.5,
    )
    yield
