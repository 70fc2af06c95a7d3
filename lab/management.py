"""RabbitMQ's management API, for what AMQP does not offer. Its numbers are seconds old."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote, unquote, urlsplit

import urllib3

from lab.broker import BrokerSilent
from lab.substrate import Endpoints


def call(endpoints: Endpoints, method: str, path: str, body: Any = None) -> Any:
    """Call `path` (below `/api/`) as the administrator; return the decoded answer, None where none.

    Raises:
        BrokerSilent: no answer in time, or another than success.
    """
    login = urlsplit(endpoints.broker_urls["admin"])
    try:
        response = urllib3.request(
            method,
            f"{endpoints.management_url}/api/{path}",
            headers=urllib3.make_headers(
                basic_auth=f"{unquote(login.username or '')}:{unquote(login.password or '')}"
            ),
            json=body,
            timeout=urllib3.Timeout(connect=3, read=10),
            retries=False,
        )
        answer = response.json() if response.data else None
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise BrokerSilent(f"the broker's management does not answer {path}: {error}") from error
    if response.status >= 400:
        raise BrokerSilent(f"the broker's management answered {path} {response.status}: {answer}")
    return answer


def close_connections(endpoints: Endpoints, *, spare: str) -> int:
    """Close every connection to the broker that is known; return how many there were.

    A connection is known here some five seconds after it was opened.

    Args:
        spare: connections that gave themselves this name stay.

    Raises:
        BrokerSilent: as `call` does.
    """
    found = call(endpoints, "GET", "connections?columns=name,client_properties.connection_name")
    closed = 0
    for each in found:
        own = (each.get("client_properties") or {}).get("connection_name")
        if own != spare and _close(endpoints, each["name"]):
            closed += 1
    return closed


def _close(endpoints: Endpoints, name: str) -> bool:
    try:
        call(endpoints, "DELETE", f"connections/{quote(name, safe='')}")
    except BrokerSilent as error:
        if " 404: " in str(error):  # it closed by itself meanwhile
            return False
        raise
    return True


def alarms(endpoints: Endpoints) -> list[str]:
    """The alarms that the broker has raised: `memory`, `disk`.

    Raises:
        BrokerSilent: as `call` does; also while a node, just started, has not told yet.
    """
    nodes = call(endpoints, "GET", "nodes")
    keys = {"memory": "mem_alarm", "disk": "disk_free_alarm"}
    if any(key not in node for node in nodes for key in keys.values()):
        raise BrokerSilent("the broker's management does not know of alarms yet; ask again")
    return [name for name, key in keys.items() if any(node[key] for node in nodes)]


def may_do_everything(endpoints: Endpoints, user: str) -> None:
    """Give a user of the broker every right; for experiments that need a careless deployment.

    Raises:
        BrokerSilent: as `call` does.
    """
    everything = {"configure": ".*", "write": ".*", "read": ".*"}
    call(endpoints, "PUT", f"permissions/%2F/{quote(user, safe='')}", everything)
