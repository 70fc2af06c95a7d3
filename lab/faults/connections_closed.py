"""The broker closes everybody's connection, as an upgrade of it does. There is nothing to cure."""

from __future__ import annotations

from collections.abc import Iterator

from lab import management
from lab.broker import CONNECTION_NAME
from lab.fault import Target, fault
from lab.settling import Marks


@fault("connections-closed", marks=Marks(reconnects=True))
def connections_closed(on: Target) -> Iterator[None]:
    """Close every connection to the broker but the lab's own; clients come back by themselves."""
    management.close_connections(on.endpoints, spare=CONNECTION_NAME)
    yield
