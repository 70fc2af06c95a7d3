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

What finds no queue in an exchange of the senders goes to its alternate exchange, and is kept. But
what its sender asks back goes to an exchange without a queue, and so it comes back:

(matches), (matches-fanout) ─> (matches.alternate) ─> (matches.unroutable) ─> [matches.unroutable]
                                        └─ marked as ours ─> (matches.returned)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

VHOST = "/"

EXCHANGE = "matches"
RETRY_EXCHANGE = "matches.retry"
DEAD_LETTER_EXCHANGE = "matches.dead-letter"

FANOUT_EXCHANGE = "matches-fanout"
"""Where the earlier system's senders publish, without a routing key."""

ALTERNATE_EXCHANGE = "matches.alternate"
RETURNED_EXCHANGE = "matches.returned"
UNROUTABLE_EXCHANGE = "matches.unroutable"
RETURN_MARK = {"origin": "missing-table"}
"""The header of a message whose sender asks for it back if it finds no queue (`mandatory`). The
broker returns only what is in no queue at all, so these must not be kept like the others."""

PROCESS_QUEUE = "matches.process"
VALIDATE_QUEUE = "matches.validate"
LEARN_QUEUE = "matches.learn"
DEAD_LETTER_QUEUE = "matches.dead-letter"
UNROUTABLE_QUEUE = "matches.unroutable"
KEPT_QUEUES = (DEAD_LETTER_QUEUE, UNROUTABLE_QUEUE)
"""Where messages wait for a person."""
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
class Binding:
    """What reaches `destination`, a queue or another exchange, from the exchange `source`."""

    source: str
    destination: str
    key: str = ""
    destination_type: str = "queue"
    arguments: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Policy:
    """Settings that the broker applies to one queue or exchange, by its name."""

    name: str
    on: str
    apply_to: str
    definition: dict[str, Any]

    @property
    def pattern(self) -> str:
        """The regular expression that only `on` fits."""
        return f"^{self.on.replace('.', '[.]')}$"


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
# Reading a message without taking it counts as a delivery; RabbitMQ 4 would drop it at its own
# default limit of 20.
_KEPT = {**_BOUNDED, "delivery-limit": 1_000_000}
_TO_DEAD_LETTER = {
    "delivery-limit": DELIVERY_LIMIT,
    "dead-letter-exchange": DEAD_LETTER_EXCHANGE,
    "dead-letter-routing-key": DEAD_LETTER_QUEUE,
    "dead-letter-strategy": "at-least-once",
}

EXCHANGES = {
    EXCHANGE: "topic",
    FANOUT_EXCHANGE: "fanout",
    RETRY_EXCHANGE: "topic",
    DEAD_LETTER_EXCHANGE: "topic",
    ALTERNATE_EXCHANGE: "headers",
    RETURNED_EXCHANGE: "fanout",
    UNROUTABLE_EXCHANGE: "fanout",
}

ALTERNATES = {
    EXCHANGE: ALTERNATE_EXCHANGE,
    FANOUT_EXCHANGE: ALTERNATE_EXCHANGE,
    ALTERNATE_EXCHANGE: UNROUTABLE_EXCHANGE,
}
"""Exchange → where it sends what it has no queue for. By policy: see the module's docstring."""

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
    Queue(DEAD_LETTER_QUEUE, DEAD_LETTER_EXCHANGE, "#", _KEPT),
    Queue(UNROUTABLE_QUEUE, UNROUTABLE_EXCHANGE, "", _KEPT),
)

BINDINGS: tuple[Binding, ...] = (
    *(Binding(queue.exchange, queue.name, queue.key) for queue in QUEUES),
    Binding(FANOUT_EXCHANGE, PROCESS_QUEUE),
    Binding(
        ALTERNATE_EXCHANGE,
        RETURNED_EXCHANGE,
        destination_type="exchange",
        arguments={"x-match": "all", **RETURN_MARK},
    ),
)

POLICIES: tuple[Policy, ...] = (
    *(Policy(queue.name, queue.name, "queues", queue.policy) for queue in QUEUES),
    *(
        Policy(f"{exchange}.alternate", exchange, "exchanges", {"alternate-exchange": alternate})
        for exchange, alternate in ALTERNATES.items()
    ),
)
POLICY_PRIORITY = 1


def scraper(password: str, name: str = "scraper") -> User:
    """May publish matches, nothing else."""
    return User(name, password, "^$", r"^matches$", "^$")


EARLIER_SENDER = "earlier-sender"


def earlier_sender(password: str, name: str = EARLIER_SENDER) -> User:
    """May declare its exchange, as it does at every start, and publish there.

    The right to declare is the right to delete, too; so it is a user of its own.
    """
    own = f"^{FANOUT_EXCHANGE}$"
    return User(name, password, own, own, "^$")


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
