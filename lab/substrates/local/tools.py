"""The services' own tools, connected to a lab's private services: for people who look inside."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from lab.errors import CannotRun
from lab.substrates.abilities import Program
from lab.substrates.local import broker, programs
from lab.substrates.local.instance import Instance, State
from lab.substrates.local.ports import HOST
from lab.substrates.local.service import environment
from lab.substrates.local.workspace import settings_of
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Call

_NODE = "rabbit@localhost"  # as in `broker`


def call(instance: Instance, tool: str, arguments: list[str]) -> Call:
    """How to run `tool`; see `lab.substrates.provider.HasTools`."""
    if tool not in TOOLS:
        raise CannotRun(f"{tool} is not one of the lab's tools: {', '.join(TOOLS)}")
    prepared = TOOLS[tool](tool, instance, *instance.read_up())
    return Call([*prepared.argv, *arguments], prepared.env)


def _rabbitmq(tool: str, instance: Instance, state: State, ends: Endpoints) -> Call:
    """RabbitMQ's tools find the node by its name and port mapper, and log in by its cookie."""
    mapper = next(each.ports[0] for each in state.processes if each.name == broker.PORT_MAPPER)
    return Call(
        [programs.need(tool)],
        environment(
            HOME=str(instance.folder / "broker"),  # holds the cookie
            RABBITMQ_NODENAME=_NODE,
            RABBITMQ_CONF_ENV_FILE="/dev/null",
            ERL_EPMD_PORT=str(mapper),
            ERL_EPMD_ADDRESS=HOST,
        ),
    )


def _redis_cli(tool: str, instance: Instance, state: State, ends: Endpoints) -> Call:
    at = urlsplit(ends.results_url)
    return Call(
        [programs.need(tool), "-h", str(at.hostname), "-p", str(at.port)],
        environment(REDISCLI_AUTH=_password(at)),
    )


def _psql(tool: str, instance: Instance, state: State, ends: Endpoints) -> Call:
    at = urlsplit(ends.database_url)
    return Call(
        [programs.need(tool)],
        environment(
            PGHOST=str(at.hostname),
            PGPORT=str(at.port),
            PGUSER=str(at.username),
            PGPASSWORD=_password(at),
            PGDATABASE=str(Path(at.path).name),
        ),
    )


def _program(tool: str, instance: Instance, state: State, ends: Endpoints) -> Call:
    """A command of the system: one more worker in the foreground, or the scraper."""
    program = Program[tool.upper()]
    env = environment(**settings_of(program, instance, ends))
    return Call([sys.executable, "-m", program], env)


def _password(at: SplitResult) -> str:
    return unquote(at.password or "")


TOOLS: dict[str, Callable[[str, Instance, State, Endpoints], Call]] = {
    "rabbitmqctl": _rabbitmq,
    "rabbitmq-diagnostics": _rabbitmq,
    "redis-cli": _redis_cli,
    "psql": _psql,
    "worker": _program,
    "scraper": _program,
}
