"""A running broker is emptied and defined anew, so that it can serve another lab.

A start takes seconds, this takes tenths of one. Whether the node is as new is a comparison of all
that it would export.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

from lab.clients.amqp import BrokerSilent
from lab.clients.management import Management
from lab.errors import SubstrateError
from lab.substrates.local import broker
from lab.substrates.local.service import Ground


def clear(ground: Ground) -> None:
    """Take everything from a running node: messages, queues, users but those of the lab.

    Raises:
        SubstrateError: it cannot be done, or the node holds publishers back (an alarm).
    """
    users = {each["name"] for each in broker.defined(ground)["users"]}
    management = _management(ground)
    try:
        management.get("health/checks/local-alarms")
        for each in management.get("vhosts?columns=name"):
            management.call("DELETE", f"vhosts/{quote(each['name'], safe='')}")
        for each in management.get("users?columns=name"):
            if each["name"] not in users:
                management.call("DELETE", f"users/{quote(each['name'], safe='')}")
    except BrokerSilent as error:
        raise SubstrateError(f"the broker cannot be emptied: {error}") from error


def define(ground: Ground) -> None:
    """Give a cleared node what its definitions say.

    Raises:
        SubstrateError: it cannot be done.
    """
    try:
        _management(ground).call("POST", "definitions", broker.defined(ground))
    except BrokerSilent as error:
        raise SubstrateError(f"the broker does not take its definitions: {error}") from error
    if not broker.accepts(ground.ports[broker.BROKER]):
        raise SubstrateError("the emptied broker takes no connections")


def shape(ground: Ground) -> dict[str, Any]:
    """Everything that a running node would export as its definitions, without passwords.

    Raises:
        SubstrateError: it does not tell.
    """
    try:
        exported: dict[str, Any] = _management(ground).get("definitions")
    except BrokerSilent as error:
        raise SubstrateError(f"the broker does not tell what it holds: {error}") from error
    for user in exported["users"]:
        del user["password_hash"]
    return {
        name: sorted(value, key=repr) if isinstance(value, list) else value
        for name, value in exported.items()
    }


def _management(ground: Ground) -> Management:
    return Management(broker.management_url(ground), broker.url(ground, "admin"))
