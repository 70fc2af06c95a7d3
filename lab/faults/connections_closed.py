"""The broker closes everybody's connection, as an upgrade of it does. There is nothing to cure."""

from __future__ import annotations

from collections.abc import Iterator

from lab import management
from lab.broker import CONNECTION_NAME
from lab.eventually import eventually
from lab.fault import Target, fault
from lab.settling import Marks

KNOWN_WITHIN_S = 20.0
"""The broker's management hears of connections every five seconds."""


@fault("connections-closed", marks=Marks(reconnects=True))
def connections_closed(on: Target) -> Iterator[None]:
    """Close every connection to the broker but the lab's own; clients come back by themselves."""
    eventually(
        "a connection that can be closed",
        lambda: management.close_connections(on.endpoints, spare=CONNECTION_NAME),
        within_s=KNOWN_WITHIN_S,
        every_s=0.5,
    )
    yield
