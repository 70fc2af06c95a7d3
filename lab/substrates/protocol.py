"""Where the system runs: three verbs and an address book, and the abilities a place may have.

A substrate starts the whole system and ends it. What it can do beyond that are optional protocols;
a fault asks by `isinstance` for what it needs, and skips if the substrate lacks it. No path of this
machine crosses this seam, so that containers and clusters can stand behind it too; the one
exception is `SharesFiles`, for places that really are a folder here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pydantic import TypeAdapter

from lab.clients.management import Management


class Role(StrEnum):
    """A part of the running system. Each has one or more processes, counted from 0."""

    BROKER = "broker"
    RESULTS = "results"
    DATABASE = "database"
    API = "api"
    WORKER = "worker"
    SITE = "site"
    SCRAPER_EXPORTER = "scraper-exporter"
    EXPORTER = "exporter"
    PROMETHEUS = "prometheus"
    ALERTMANAGER = "alertmanager"
    FLOWER = "flower"


class Link(StrEnum):
    """A way over the network, from the role that calls to the role that answers."""

    SCRAPER_BROKER = "scraper-broker"
    WORKER_BROKER = "worker-broker"
    WORKER_API = "worker-api"
    WORKER_RESULTS = "worker-results"
    API_DATABASE = "api-database"


@dataclass(frozen=True, slots=True, repr=False)
class Monitoring:
    """What watches the system, as data that does not depend on where anything runs.

    It may hold secrets (the webhook's address), so it does not show what it holds.

    Attributes:
        prometheus: what prometheus.yml says, without places: each of its `scrape_configs` is a job
            that the substrate gives targets.
        rules: what the files of rules say, by their names.
        alertmanager: what alertmanager.yml says.
    """

    prometheus: Mapping[str, Any]
    rules: Mapping[str, Any]
    alertmanager: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to start.

    Attributes:
        workers: worker processes, each with a pool of its own.
        concurrency: pool children of each worker.
        seed: of the league site's season.
        matches: of the league site's season.
        page_delay_ms: how long the league site lets each page wait.
        settings: more environment variables, by role; they win over the substrate's own.
        wrapper: by role, a module that starts in place of the role's own and is given its name and
            arguments (`python -m <wrapper> <module> <arguments…>`); for experiments that switch a
            guard off.
        relayed: the links that run through a relay, so that they can be broken. Others are direct:
            a relay takes part of the processor, and so of the throughput.
        monitoring: what Prometheus, Alertmanager and the exporters do; they do not run where None.
        flower: whether Flower runs, and the workers send the events that it shows.
    """

    seed: int
    matches: int
    workers: int = 2
    concurrency: int = 2
    page_delay_ms: int = 100
    settings: Mapping[Role, Mapping[str, str]] = field(default_factory=dict)
    wrapper: Mapping[Role, str] = field(default_factory=dict)
    relayed: frozenset[Link] = frozenset()
    monitoring: Monitoring | None = None
    flower: bool = False


def as_json(plan: Plan) -> bytes:
    """A plan as JSON, with its secrets: for a private file or a pipe."""
    return TypeAdapter(Plan).dump_json(plan)


def from_json(content: bytes) -> Plan:
    """The plan that `as_json` wrote.

    Raises:
        ValueError: it is none.
    """
    return TypeAdapter(Plan).validate_json(content)


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where everything answers. The URLs hold passwords: for programs, not for logs.

    Attributes:
        api_url: `http://host:port` of the backend.
        api_token: the bearer token that writing needs.
        broker_urls: AMQP URLs, by user: `scraper`, `worker`, `operator`, `admin`. The scraper's is
            the one way that a fault of the link `scraper-broker` can break; the others are direct.
        management_url: `http://host:port` of RabbitMQ's management API; log in as a broker user.
        metrics_url: `http://host:port/metrics` of the broker, for Prometheus.
        results_url: `redis://…`.
        database_url: `postgresql://…`, as the owner of the system's tables.
        site_url: `http://host:port` of the league site.
        prometheus_url, alertmanager_url, flower_url: `http://host:port`; None: it does not run.
    """

    api_url: str
    api_token: str = field(repr=False)
    broker_urls: Mapping[str, str] = field(repr=False)
    management_url: str
    metrics_url: str
    results_url: str = field(repr=False)
    database_url: str = field(repr=False)
    site_url: str
    prometheus_url: str | None = None
    alertmanager_url: str | None = None
    flower_url: str | None = None

    @property
    def management(self) -> Management:
        """The broker's management API, as the administrator."""
        return Management(self.management_url, self.broker_urls["admin"])


class Program(StrEnum):
    """A command of the system that people and timers run beside the roles."""

    SCRAPER = "system.scraper"
    WORKER = "system.worker"
    DEAD_LETTERS = "system.worker.dead_letters"


@dataclass(frozen=True, slots=True)
class Log:
    """What one process wrote.

    Attributes:
        name: `<role>-<index>`, or as it was named when it was started.
        read: gives what is there now, in pieces.
    """

    name: str
    read: Callable[[], Iterator[bytes]]

    def text(self) -> str:
        """What is there now, as text."""
        return b"".join(self.read()).decode("utf-8", "replace")


class Substrate(Protocol):
    """Where the system runs.

    Attributes:
        name: as it is registered; a run records it.
    """

    name: str

    def up(self, plan: Plan) -> Endpoints:
        """Start everything; return once every role has answered.

        Raises:
            SubstrateError: a role died or did not answer in time; what had started is ended.
        """
        ...

    def down(self) -> None:
        """End everything. Does nothing where nothing runs."""
        ...

    def logs(self, role: Role | None = None) -> list[Log]:
        """The logs of a role, one for each process it ever had; of everything if None."""
        ...


@runtime_checkable
class Shared(Protocol):
    """A lab that another process keeps; others may use it at the same time."""

    def kept_plan(self) -> Plan:
        """What runs there."""
        ...

    def struck(self, fault: str, parameters: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Let the keeper break the lab for the block, and cure it, even if the caller is killed."""
        ...


@dataclass(frozen=True, slots=True)
class Finished:
    """What a command came to. `code` is negative if a signal ended it."""

    code: int
    stdout: str
    stderr: str


class Started(Protocol):
    """A command that runs."""

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        ...

    def terminate(self) -> None:
        """Ask it to end."""
        ...

    def kill(self) -> None:
        """End it and its children at once."""
        ...

    def wait(self, within_s: float) -> bool:
        """Whether it ended within this time."""
        ...


@runtime_checkable
class RunsPrograms(Protocol):
    """Can run commands of the system where the system runs, in one working folder.

    Files are named relative to that folder. `settings` are environment variables over those that
    the program usually has there; None takes one away. `wrapper` is a module that starts in place
    of the program and is given its name and arguments.
    """

    def site_url(self) -> str:
        """The address of the league's site, as programs there reach it."""
        ...

    def run(
        self,
        program: Program,
        *arguments: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
        within_s: float = 60.0,
    ) -> Finished:
        """Run a command to its end.

        Raises:
            SubstrateError: it still ran after `within_s`, and was killed.
        """
        ...

    def started(
        self,
        program: Program,
        *arguments: str,
        log: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
    ) -> AbstractContextManager[Started]:
        """Run a command beside the block; it is killed at the end if it still runs then.

        Args:
            log: the name of its log, see `Substrate.logs`.
        """
        ...

    def read(self, file: str, offset: int = 0) -> bytes | None:
        """What a file holds from `offset` on, a bounded piece of it; None if there is no file."""
        ...

    def write(self, file: str, content: bytes) -> None:
        """Make a file, or replace it."""
        ...


@runtime_checkable
class SharesFiles(Protocol):
    """Its working folder is one of this machine."""

    def place(self, file: str) -> Path:
        """Where a file of the working folder is."""
        ...


@runtime_checkable
class KeepsSeries(Protocol):
    """Can hand over what its Prometheus has recorded."""

    def keep_series(self, folder: Path) -> None:
        """End Prometheus in order and put its series into `folder`, if there is a Prometheus."""
        ...


@runtime_checkable
class Killable(Protocol):
    """Can end one process of a role, the hard way or the polite way, and bring it back."""

    def kill(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the process and all its children. Nothing where it has ended already."""
        ...

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Ask the process to end, and wait until it has.

        Raises:
            SubstrateError: it still runs after `within_s`.
        """
        ...

    def start(self, role: Role, index: int = 0) -> None:
        """Start the process again with its data, and wait until it answers.

        Nothing where it runs already, so this also cures a half-applied fault.
        """
        ...


@runtime_checkable
class Pausable(Protocol):
    """Can stop a process without ending it: it keeps its connections and says nothing."""

    def pause(self, role: Role, index: int = 0) -> None:
        """Stop the process and all its children where they are."""
        ...

    def resume(self, role: Role, index: int = 0) -> None:
        """Let them go on. Nothing where they do already."""
        ...


@runtime_checkable
class Scalable(Protocol):
    """Can change how many processes a role has."""

    def scale(self, role: Role, count: int) -> None:
        """Start or politely end processes until the role has `count`."""
        ...


@runtime_checkable
class Measurable(Protocol):
    """Can say what its processes use."""

    def memory(self) -> dict[str, int]:
        """Bytes of resident memory by `<role>-<index>`, children included; living ones only."""
        ...


@runtime_checkable
class ChildKillable(Protocol):
    """Can end one pool child of a worker, as the system does where memory runs out."""

    def kill_child(self, role: Role, index: int = 0) -> None:
        """SIGKILL for one child of the process; the process itself goes on.

        Raises:
            SubstrateError: it has no child.
        """
        ...


@runtime_checkable
class Controllable(Protocol):
    """Can run the broker's own tool, for what no network interface of it offers."""

    def control_broker(self, *arguments: str) -> str:
        """Run `rabbitmqctl` with `arguments` and return what it printed.

        Raises:
            SubstrateError: it failed, or took more than a minute.
        """
        ...


@runtime_checkable
class Watchable(Protocol):
    """Can let its Prometheus scrape something that is not a role of the system."""

    def watch(self, job: str, instance: str, address: str) -> None:
        """Scrape `http://<address>/metrics` from now on, where there is a Prometheus."""
        ...


@runtime_checkable
class Partitionable(Protocol):
    """Can break a link between two roles while both of them run. One breach replaces another."""

    def cut(self, link: Link) -> None:
        """Close the connections, and refuse new ones."""
        ...

    def stall(self, link: Link) -> None:
        """Let nothing pass; connections stay open, and new ones are taken and get no answer."""
        ...

    def slow(self, link: Link, *, latency_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Delay what passes, each way by `latency_s`, and bound each connection's rate (0: not)."""
        ...

    def half_open(self, link: Link) -> None:
        """Close the caller's side of each connection and leave the other side open, unaware.

        So it looks where a router forgot a connection. New connections are served.
        """
        ...

    def heal(self, link: Link) -> None:
        """Let everything pass again. Nothing where it does already."""
        ...
