"""RabbitMQ's management API, for what AMQP does not offer. Its numbers are some seconds old."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import urllib3

from lab.clients.amqp import BrokerSilent
from system.contract.addresses import addresses
from system.contract.topology import VHOST

AGE_S = 5.0
"""How old the queues' own counts may be, in seconds, as RabbitMQ is set by default: a quorum queue
counts at its `quorum_tick_interval`, a classic one at the `collect_statistics_interval`."""
ANSWER_BYTES_MAX = 64 * 1024 * 1024
_OWN_COUNTS = "disable_stats=true&enable_queue_totals=true"
_NUMBER = re.compile(r"-(\d+)(?=[@.]|$)")


@dataclass(frozen=True, slots=True)
class QueueCounts:
    """The messages of a queue.

    Attributes:
        ready: messages that are not delivered.
        unacked: messages that are delivered and not acknowledged.
        acked: acknowledgements since the queue was created.
    """

    ready: int
    unacked: int
    acked: int


@dataclass(frozen=True, slots=True)
class Management:
    """The management API of a broker. Of a cluster, the first node that answers is asked.

    Attributes:
        url: `http://host:port`; of a cluster several, with `;` between them.
        login: an AMQP URL of the user to log in as; only its name and password are used.
        age_s: how old what `held` counts may be, in seconds.
    """

    url: str
    login: str = field(repr=False)
    age_s: float = AGE_S

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Call `path` (below `/api/`); return the decoded answer, None if it is empty.

        Raises:
            BrokerSilent: no answer in time, one too large, or a status of 400 or above.
        """
        silent = _silent("has no address")
        for node in self.url.split(";"):
            try:
                status, answer = self._ask(node, method, path, body)
            except BrokerSilent as error:
                silent = error
                continue
            if status >= 400:
                raise _silent(f"answered {path} {status}: {answer}")
            return answer
        raise silent

    def _ask(self, node: str, method: str, path: str, body: Any) -> tuple[int, Any]:
        user = urlsplit(addresses(self.login)[0])
        login = f"{unquote(user.username or '')}:{unquote(user.password or '')}"
        try:
            with urllib3.request(
                method,
                f"{node}/api/{path}",
                headers=urllib3.make_headers(basic_auth=login),
                json=body,
                timeout=urllib3.Timeout(connect=3, read=10),
                retries=False,
                preload_content=False,
            ) as response:
                content = response.read(ANSWER_BYTES_MAX + 1)
            if len(content) > ANSWER_BYTES_MAX:
                raise _silent(f"answered {path} without end")
            return response.status, json.loads(content) if content else None
        except (urllib3.exceptions.HTTPError, ValueError) as error:
            raise _silent(f"does not answer {path}: {error}") from error

    def get(self, path: str) -> Any:
        """GET `path`; raises BrokerSilent as `call` does."""
        return self.call("GET", path)

    def _rows(self, path: str) -> list[dict[str, Any]]:
        """GET a list of objects; raises BrokerSilent as `call` does, or if it is none."""
        found = self.get(path)
        if not isinstance(found, list) or not all(isinstance(entry, dict) for entry in found):
            raise _silent(f"answered {path} with no list of objects")
        return found

    def queue(self, name: str) -> QueueCounts:
        """Count the messages of a queue.

        Raises:
            BrokerSilent: as `call` does; also while its messages have not been counted.
        """
        about = self.get(f"queues/{quote(VHOST, safe='')}/{quote(name, safe='')}")
        try:
            return QueueCounts(
                ready=int(about["messages_ready"]),
                unacked=int(about["messages_unacknowledged"]),
                acked=int(about.get("message_stats", {}).get("ack", 0)),
            )
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise _silent(f"has no count of {name}") from error

    def leader(self, queue: str) -> int:
        """The number of the broker's node that leads a quorum queue, counted from 0.

        It is the last number in the node's name: `broker-1@localhost`, `rabbit@rabbitmq-1.…`; a
        name without one is the first node's.

        Raises:
            BrokerSilent: as `call` does; also while the queue has no leader.
        """
        about = self.get(f"queues/{quote(VHOST, safe='')}/{quote(queue, safe='')}")
        name = about.get("leader") if isinstance(about, dict) else None
        if not isinstance(name, str):
            raise _silent(f"knows no leader of {queue}")
        numbers = _NUMBER.findall(name)
        return int(numbers[-1]) if numbers else 0

    def held(self, queues: Iterable[str]) -> int:
        """The number of messages in these queues together, delivered ones included.

        It asks for the queues' own counts: the usual statistics are collected from these, and are
        up to five seconds older.

        Raises:
            BrokerSilent: as `call` does; also if one of them does not exist or has no count yet: a
                queue that was not counted is not empty.
        """
        found = self._rows(f"queues?columns=name,messages&{_OWN_COUNTS}")
        counts: dict[Any, Any] = {queue.get("name"): queue.get("messages") for queue in found}
        uncounted = [name for name in queues if not isinstance(counts.get(name), int)]
        if uncounted:
            raise _silent(f"has no count of {', '.join(uncounted)}")
        return sum(counts[name] for name in queues)

    def close_connections(self, *, spare: str) -> int:
        """Close every known connection to the broker; return how many there were.

        The API lists a connection some five seconds after it was opened.

        Args:
            spare: connections of this name stay open.

        Raises:
            BrokerSilent: as `call` does.
        """
        found = self._rows("connections?columns=name,client_properties.connection_name")
        closed = 0
        for connection in found:
            own = (connection.get("client_properties") or {}).get("connection_name")
            if own != spare and self._close(connection["name"]):
                closed += 1
        return closed

    def _close(self, name: str) -> bool:
        try:
            self.call("DELETE", f"connections/{quote(name, safe='')}")
        except BrokerSilent as error:
            if " 404: " in str(error):  # it closed by itself meanwhile
                return False
            raise
        return True

    def alarms(self) -> list[str]:
        """The alarms that the broker has raised: `memory`, `disk`.

        Raises:
            BrokerSilent: as `call` does; also while a node that just started does not report any.
        """
        nodes = self._rows("nodes")
        keys = {"memory": "mem_alarm", "disk": "disk_free_alarm"}
        if any(key not in node for node in nodes for key in keys.values()):
            raise _silent("does not know of alarms yet; ask again")
        return [name for name, key in keys.items() if any(bool(node[key]) for node in nodes)]

    def allow_everything(self, user: str) -> None:
        """Give a user every permission; for experiments that need a careless deployment.

        Raises:
            BrokerSilent: as `call` does.
        """
        everything = {"configure": ".*", "write": ".*", "read": ".*"}
        self.call("PUT", f"permissions/%2F/{quote(user, safe='')}", everything)


def _silent(what: str) -> BrokerSilent:
    return BrokerSilent(f"the broker's management {what}")
