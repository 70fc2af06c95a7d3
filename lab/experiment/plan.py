"""A plan from simple words, as modules of scenarios and notebooks give them."""

from __future__ import annotations

from typing import Any

from lab.monitoring import watch
from lab.substrates.plan import Plan, Role

_WATCHING = ("time_scale", "webhook_url", "remote_write")


def make_plan(*, monitoring: bool = False, **fields: Any) -> Plan:
    """A plan; see `Plan` for the fields, and `lab.monitoring.watch.monitoring` for how to watch.

    Args:
        monitoring: whether Prometheus, Alertmanager and the exporters run, too.
        fields: of `Plan` (roles by name will do), and arguments of `watch.monitoring`.
    """
    for by_role in ("settings", "wrapper"):
        if by_role in fields:
            fields[by_role] = {Role(role): given for role, given in fields[by_role].items()}
    watching = {name: fields.pop(name) for name in _WATCHING if name in fields}
    return Plan(**fields, monitoring=watch.monitoring(**watching) if monitoring else None)
