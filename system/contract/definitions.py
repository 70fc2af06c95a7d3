"""The topology as RabbitMQ's definitions file, which the broker loads before a client connects."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from typing import Any

from system.contract import topology
from system.contract.topology import User


def definitions(users: Sequence[User], *, events: bool = False) -> dict[str, Any]:
    """Return the whole topology as RabbitMQ's definitions file, for `load_definitions`.

    Args:
        users: who may log in.
        events: whether workers send events of their tasks, for Flower.
    """
    exchanges = (
        {**topology.EXCHANGES, topology.EVENTS_EXCHANGE: "topic"} if events else topology.EXCHANGES
    )
    return {
        "vhosts": [{"name": topology.VHOST}],
        "users": [
            {
                "name": user.name,
                "password_hash": _password_hash(user.password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": ",".join(user.tags),
            }
            for user in users
        ],
        "permissions": [
            {
                "user": u.name,
                "vhost": topology.VHOST,
                "configure": u.configure,
                "write": u.write,
                "read": u.read,
            }
            for u in users
        ],
        "exchanges": [_exchange(name, kind) for name, kind in exchanges.items()],
        "queues": [
            {
                "name": queue.name,
                "vhost": topology.VHOST,
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-queue-type": "quorum"},
            }
            for queue in topology.QUEUES
        ],
        "bindings": [
            {
                "source": binding.source,
                "vhost": topology.VHOST,
                "destination": binding.destination,
                "destination_type": binding.destination_type,
                "routing_key": binding.key,
                "arguments": binding.arguments,
            }
            for binding in topology.BINDINGS
        ],
        "policies": [
            {
                "vhost": topology.VHOST,
                "name": policy.name,
                "pattern": policy.pattern,
                "apply-to": policy.apply_to,
                "priority": topology.POLICY_PRIORITY,
                "definition": policy.definition,
            }
            for policy in topology.POLICIES
        ],
    }


def _exchange(name: str, kind: str) -> dict[str, Any]:
    return {
        "name": name,
        "vhost": topology.VHOST,
        "type": kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,  # the broker's metrics leave out those that are, also when they are gone
        "arguments": {},
    }


def _password_hash(password: str) -> str:
    """RabbitMQ's own salted SHA-256 (rabbitmq.com/docs/passwords): four bytes of salt first."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
