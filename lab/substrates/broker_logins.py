"""Who may log in at the broker of a lab, and what the broker is told at its first start."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from system.contract import topology
from system.contract.definitions import definitions as contract_definitions

USERS = ("scraper", topology.EARLIER_SENDER, "worker", "operator", "admin")
MONITOR = "monitor"
"""As whom Flower looks at the workers' events."""


def definitions(password: Callable[[str], str], *, flower: bool) -> dict[str, Any]:
    """The broker's definitions, with the passwords of its users.

    Args:
        password: gives that of a user.
        flower: whether Flower runs, and the workers send events.
    """
    users = [
        topology.scraper(password("scraper")),
        topology.earlier_sender(password(topology.EARLIER_SENDER)),
        topology.worker(password("worker"), events=flower),
        topology.operator(password("operator")),
        topology.administrator(password("admin")),
    ]
    if flower:
        users.append(topology.monitor(password(MONITOR)))
    return contract_definitions(users, events=flower)
