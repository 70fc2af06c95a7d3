"""The broker's management API, as the management page in the browser uses it.

Its numbers are up to five seconds old (`lab.broker.HELD_AGE_S`); but it alone tells what workers
hold.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import urllib3

from lab.broker import BrokerSilent
from lab.substrate import Endpoints
from system.contract.topology import VHOST


@dataclass(frozen=True, slots=True)
class Counted:
    """What a queue holds.

    Attributes:
        ready: messages that no worker has.
        unacked: messages that a worker has and has not acknowledged.
        acked: acknowledgements since the queue was made.
    """

    ready: int
    unacked: int
    acked: int


def queue(ends: Endpoints, name: str) -> Counted:
    """Count the messages of a queue.

    Raises:
        BrokerSilent: see `get`.
    """
    about = get(ends, f"queues/{quote(VHOST, safe='')}/{quote(name, safe='')}")
    return Counted(
        ready=int(about.get("messages_ready", 0)),
        unacked=int(about.get("messages_unacknowledged", 0)),
        acked=int((about.get("message_stats") or {}).get("ack", 0)),
    )


def get(ends: Endpoints, path: str) -> Any:
    """Ask for `/api/<path>`, as the administrator.

    Raises:
        BrokerSilent: no answer, or none that can be read.
    """
    url = f"{ends.management_url}/api/{path}"
    login = urlsplit(ends.broker_urls["admin"])
    who = f"{unquote(login.username or '')}:{unquote(login.password or '')}"
    try:
        response = urllib3.request(
            "GET",
            url,
            headers=urllib3.make_headers(basic_auth=who),
            timeout=urllib3.Timeout(connect=3, read=5),
            retries=False,
        )
        if response.status != 200:
            raise BrokerSilent(f"{url} answered {response.status}")
        return response.json()
    except (urllib3.exceptions.HTTPError, ValueError) as error:
        raise BrokerSilent(f"the broker's management does not answer: {error}") from error
