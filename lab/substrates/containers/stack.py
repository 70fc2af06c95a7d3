"""What the containers of one lab share while they are described: addresses, passwords, images."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field

from lab.substrates.containers.images import Images
from lab.substrates.local.ports import HOST, Ports
from lab.substrates.plan import Link, Plan, Role

RUNNER = "runner"
CONTROL = 8001
"""The port in the runner on which it takes requests."""
BROKER, RESULTS, DATABASE, API, SITE = (
    f"{role}-0" for role in (Role.BROKER, Role.RESULTS, Role.DATABASE, Role.API, Role.SITE)
)
SCRAPER_EXPORTER = f"{Role.SCRAPER_EXPORTER}-0"
AMQP, MANAGEMENT, BROKER_METRICS = 5672, 15672, 15692
REDIS, POSTGRESQL, HTTP, METRICS = 6379, 5432, 8000, 9000
TARGETS = {
    Link.SCRAPER_BROKER: (BROKER, AMQP),
    Link.SCRAPER_API: (API, HTTP),
    Link.WORKER_BROKER: (BROKER, AMQP),
    Link.WORKER_API: (API, HTTP),
    Link.WORKER_RESULTS: (RESULTS, REDIS),
    Link.API_DATABASE: (DATABASE, POSTGRESQL),
}
"""What each link leads to: the container and its port."""
OF_SCRAPER = (Link.SCRAPER_BROKER, Link.SCRAPER_API)
"""Links of which this machine, too, uses the relay: what it does as the scraper."""
WORK = "/tmp/work"  # noqa: S108 - in the container
"""The programs' working folder in the runner; what is beside it is kept, too."""
SCRAPER_METRICS = f"{WORK}/scraper-metrics"
_FIRST_RELAY = 7000


@dataclass(slots=True)
class Stack:
    """One lab.

    Attributes:
        lab: what the names of its parts begin with.
        free: ports of this machine, to publish containers on.
        ports: those that are taken, by container and its port.
    """

    lab: str
    plan: Plan
    images: Images
    free: Ports
    ports: dict[tuple[str, int], int] = field(default_factory=dict)
    passwords: dict[str, str] = field(default_factory=dict, repr=False)

    def password(self, user: str) -> str:
        """The password of one user of one service, made at the first call."""
        return self.passwords.setdefault(user, secrets.token_urlsafe(24))

    def publish(self, name: str, *there: int) -> dict[int, int]:
        """Ports of this machine for these of a container; the same ones each time."""
        return {each: self.ports.setdefault((name, each), self.free.take()) for each in there}

    def here(self, name: str, there: int) -> str:
        """`host:port` of a container, for this machine."""
        return f"{HOST}:{self.ports[name, there]}"

    def inside(self, name: str, there: int, link: Link | None = None) -> str:
        """`host:port` of a container, for others; by way of a link's relay if it has one."""
        if link in self.plan.relayed:
            return f"{RUNNER}:{relay_port(link)}"
        return f"{name}:{there}"

    def amqp(self, user: str, at: str) -> str:
        """The AMQP URL of a user of the broker, with its password."""
        return f"amqp://{user}:{self.password(user)}@{at}/%2F"

    def postgresql(self, at: str) -> str:
        """The URL of the system's database, as the owner of its tables."""
        return f"postgresql://backend:{self.password('backend')}@{at}/missing_table"

    def redis(self, at: str) -> str:
        """The URL of the results."""
        return f"redis://:{self.password('redis')}@{at}/0"


def relay_port(link: Link) -> int:
    """Where a link's relay listens, in the runner."""
    return _FIRST_RELAY + list(Link).index(link)
