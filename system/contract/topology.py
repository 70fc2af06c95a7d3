"""Exchanges, queues, policies and users of the broker, as data; the only place that defines them.

The broker gets all of this as one definitions file before a client connects, so that only the
administrator needs permission to declare anything. Limits are in policies, not in queue arguments:
the broker refuses changed arguments of an existing queue (406), which stops its workers; a changed
policy is just applied.

        key = queue                       ┌────────────── expired ───────────────┐
publisher ─────────> (matches) ──> [matches.process] <── worker ── (matches.retry) ─> [… .retry.Ns]
                                             │                │
                                       delivery limit      invalid, exhausted
                                             └──> (matches.dead-letter) ──> [matches.dead-letter]
"""

from __future__ import annotations

import base64
import hashlib
import os
from dataclasses import dataclass, field
from typing import Any

VHOST = "/"

EXCHANGE = "matches"
RETRY_EXCHANGE = "matches.retry"
DEAD_LETTER_EXCHANGE = "matches.dead-letter"

PROCESS_QUEUE = "matches.process"
VALIDATE_QUEUE = "matches.validate"
LEARN_QUEUE = "matches.learn"
DEAD_LETTER_QUEUE = "matches.dead-letter"
WORK_QUEUES = (PROCESS_QUEUE, VALIDATE_QUEUE, LEARN_QUEUE)

EVENTS_EXCHANGE = "celeryev"
"""Celery's own exchange, for its workers' events for Flower; exists only if events are enabled."""

RETRY_DELAYS_S = (1, 5, 15, 60, 300, 900)
"""The retry steps: how long a message waits before each further attempt; the last one repeats."""

DELIVERY_LIMIT = 50
"""Deliveries after which a message counts as poison. Each death of a worker counts for every
message it held, so this is far above what restarts cause and still ends a crash loop."""

QUEUE_LENGTH_MAX = 1_000_000
"""Beyond this the broker refuses publishers (who use the outbox) rather than filling its disk."""


def retry_queue(delay_s: int) -> str:
    """Return the queue in which a message waits `delay_s`, also its routing key."""
    return f"{PROCESS_QUEUE}.retry.{delay_s}s"


@dataclass(frozen=True, slots=True)
class Queue:
    """A durable quorum queue and its binding.

    Attributes:
        exchange: what it is bound to, by the routing key `key`.
        policy: limits, dead-lettering and expiry; see the module's docstring.
    """

    name: str
    exchange: str
    key: str
    policy: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class User:
    """A user of the broker with the permissions of its role, as regular expressions over names."""

    name: str
    password: str
    configure: str
    write: str
    read: str
    tags: tuple[str, ...] = ()


_BOUNDED = {"max-length": QUEUE_LENGTH_MAX, "overflow": "reject-publish"}
_TO_DEAD_LETTER = {
    "delivery-limit": DELIVERY_LIMIT,
    "dead-letter-exchange": DEAD_LETTER_EXCHANGE,
    "dead-letter-routing-key": DEAD_LETTER_QUEUE,
    "dead-letter-strategy": "at-least-once",
}

EXCHANGES = {EXCHANGE: "topic", RETRY_EXCHANGE: "topic", DEAD_LETTER_EXCHANGE: "topic"}

QUEUES: tuple[Queue, ...] = (
    *(Queue(name, EXCHANGE, name, {**_BOUNDED, **_TO_DEAD_LETTER}) for name in WORK_QUEUES),
    *(
        Queue(
            retry_queue(delay_s),
            RETRY_EXCHANGE,
            retry_queue(delay_s),
            {
                **_BOUNDED,
                "message-ttl": delay_s * 1000,
                "dead-letter-exchange": EXCHANGE,
                "dead-letter-routing-key": PROCESS_QUEUE,
                "dead-letter-strategy": "at-least-once",
            },
        )
        for delay_s in RETRY_DELAYS_S
    ),
    # Reading dead letters without taking them counts as deliveries; RabbitMQ 4 would drop them at
    # its own default limit of 20.
    Queue(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, "#", {**_BOUNDED, "delivery-limit": 1_000_000}),
)


def scraper(password: str, name: str = "scraper") -> User:
    """May publish matches, nothing else."""
    return User(name, password, "^$", r"^matches$", "^$")


def worker(password: str, name: str = "worker", *, events: bool = False) -> User:
    """May consume work, publish retries and dead letters, and, with `events`, Celery's events."""
    put_aside = r"matches\.(retry|dead-letter)"
    return User(
        name,
        password,
        "^$",
        rf"^({put_aside}|{EVENTS_EXCHANGE})$" if events else f"^{put_aside}$",
        r"^matches\.(process|validate|learn)$",
    )


def monitor(password: str, name: str = "monitor") -> User:
    """May read events, from queues of its own that are named after their exchange; for Flower."""
    own = rf"^{EVENTS_EXCHANGE}\..+$"
    return User(name, password, own, own, rf"^{EVENTS_EXCHANGE}(\..+)?$")


def operator(password: str, name: str = "operator") -> User:
    """May read every queue and replay dead letters."""
    return User(name, password, "^$", r"^matches(\..*)?$", r"^matches(\..*)?$", ("monitoring",))


def administrator(password: str, name: str = "admin") -> User:
    """May do everything; for the laboratory and for first set-up."""
    return User(name, password, ".*", ".*", ".*", ("administrator",))


def definitions(users: list[User], *, events: bool = False) -> dict[str, Any]:
    """Return the whole topology as RabbitMQ's definitions file, for `load_definitions`.

    Args:
        users: who may log in.
        events: whether workers send events of their tasks, for Flower.
    """
    exchanges = {**EXCHANGES, EVENTS_EXCHANGE: "topic"} if events else EXCHANGES
    return {
        "vhosts": [{"name": VHOST}],
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
                "vhost": VHOST,
                "configure": u.configure,
                "write": u.write,
                "read": u.read,
            }
            for u in users
        ],
        "exchanges": [
            {
                "name": name,
                "vhost": VHOST,
                "type": kind,
                "durable": True,
                "auto_delete": False,
                "internal": False,
                "arguments": {},
            }
            for name, kind in exchanges.items()
        ],
        "queues": [
            {
                "name": queue.name,
                "vhost": VHOST,
                "durable": True,
                "auto_delete": False,
                "arguments": {"x-queue-type": "quorum"},
            }
            for queue in QUEUES
        ],
        "bindings": [
            {
                "source": queue.exchange,
                "vhost": VHOST,
                "destination": queue.name,
                "destination_type": "queue",
                "routing_key": queue.key,
                "arguments": {},
            }
            for queue in QUEUES
        ],
        "policies": [
            {
                "vhost": VHOST,
                "name": queue.name,
                "pattern": f"^{queue.name.replace('.', '[.]')}$",
                "apply-to": "queues",
                "priority": 1,
                "definition": queue.policy,
            }
            for queue in QUEUES
        ],
    }


def _password_hash(password: str) -> str:
    """RabbitMQ's own salted SHA-256 (rabbitmq.com/docs/passwords): four bytes of salt first."""
    salt = os.urandom(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()
