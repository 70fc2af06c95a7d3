"""The services' own tools, connected to a lab's private services: for people who look inside."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from lab.errors import CannotRun
from lab.substrates.abilities import OUTBOX, Program
from lab.substrates.local import broker, programs
from lab.substrates.local.instance import Instance, State
from lab.substrates.local.ports import HOST
from lab.substrates.local.service import environment
from lab.substrates.local.workspace import folder_of, settings_of
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Call

_NODE = "rabbit@localhost"  # as in `broker`
SETTINGS_FILE = "env"
_USE = "# Settings of this lab, passwords included; read by `. FILE`. It goes with the lab.\n"


def call(instance: Instance, tool: str, arguments: list[str]) -> Call:
    """How to run `tool`; see `lab.substrates.provider.HasTools`."""
    if tool not in TOOLS:
        raise CannotRun(f"{tool} is not one of the lab's tools: {', '.join(TOOLS)}")
    prepared = TOOLS[tool](tool, instance, *instance.read_up())
    return Call([*prepared.argv, *arguments], prepared.env)


def settings_file(instance: Instance) -> Path:
    """Write the settings file; see `lab.substrates.provider.HasTools`."""
    ends = instance.read_up()[1]
    path = instance.folder / SETTINGS_FILE
    lines = [f"export {name}={shlex.quote(value)}\n" for name, value in settings(ends).items()]
    draft = path.with_suffix(".new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.writelines([_USE, *lines, f"export MISSING_TABLE_OUTBOX={_outbox(instance)}\n"])
    draft.replace(path)
    return path


def settings(ends: Endpoints) -> dict[str, str]:
    """What the system's programs, and a person's own, need to know of a lab. Pure.

    The broker's address is the scraper's, as for a publisher; the other users' are beside it.
    """
    admin = urlsplit(ends.broker_urls["admin"]).netloc.rpartition("@")[0]
    known = {
        "MISSING_TABLE_BROKER_URL": ends.broker_urls["scraper"],
        "MISSING_TABLE_OPERATOR_URL": ends.broker_urls["operator"],
        "MISSING_TABLE_MANAGEMENT_URL": ends.management_url.replace("://", f"://{admin}@"),
        "MISSING_TABLE_API_URL": ends.api_url,
        "MISSING_TABLE_API_TOKEN": ends.api_token,
        "MISSING_TABLE_RESULT_URL": ends.results_url,
        "MISSING_TABLE_DATABASE_URL": ends.database_url,
        "EARLIER_SENDER_URL": ends.broker_urls["earlier-sender"],
        "ADMIN_URL": ends.broker_urls["admin"],
        "SITE_URL": ends.site_url,
    }
    if ends.prometheus_url:
        known["PROMETHEUS_URL"] = ends.prometheus_url
    return known


def _outbox(instance: Instance) -> str:
    """The outbox that `ctl scraper` has, too; it goes with the lab."""
    return shlex.quote(str(folder_of(instance) / OUTBOX))


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
    """A command of the system: one more worker in the foreground, the scraper, the dead letters."""
    program = Program[tool.upper().replace("-", "_")]
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
    "dead-letters": _program,
}
