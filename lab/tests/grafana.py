"""A dashboard's queries as Grafana would send them, for use without Grafana. Pure."""

from __future__ import annotations

from collections.abc import Mapping

GIVEN: Mapping[str, str] = {
    "$__rate_interval": "5s",  # five scrapes of a lab
    "$__range": "1m",
    "$queue": ".*",
    "$instance": ".*",
}
"""The value for each of Grafana's variables."""


def substituted(query: str, given: Mapping[str, str] = GIVEN) -> str:
    """The query with every variable replaced."""
    for name, value in given.items():
        query = query.replace(name, value)
    return query
