"""A private RabbitMQ node, and the port mapper (epmd) that Erlang needs beside it.

Everything that Debian's or Homebrew's own node would read or use is named anew: home, cookie, node
name, configuration, data, plugins, port mapper. So a node of the machine is neither needed nor
touched. The topology is loaded at boot, before anybody can connect.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.parse import quote

from kombu.connection import Connection

from lab.clients.amqp import BrokerSilent
from lab.clients.management import Management
from lab.errors import SubstrateError
from lab.substrates.local import programs
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command
from lab.substrates.local.service import (
    Ground,
    Launch,
    Service,
    environment,
    name_of,
    write_private,
)
from lab.substrates.plan import Link, Role
from system.contract import topology

USERS = ("scraper", "worker", "operator", "admin")
MONITOR = "monitor"
PORT_MAPPER = "broker-epmd"
BROKER = name_of(Role.BROKER)
MANAGEMENT = "management"
METRICS = "metrics"
_DISTRIBUTION = "distribution"

# An idle Erlang spins before it sleeps; on a laptop that it shares, it should just sleep.
_ERLANG = (
    "+sbwt none +sbwtdcpu none +sbwtdio none "
    "-start_epmd false -kernel inet_dist_use_interface {127,0,0,1}"
)

CONTROL_S = 60.0

_CONFIGURATION = """\
listeners.tcp.local = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {metrics}
definitions.import_backend = local_filesystem
definitions.local.path = {definitions}
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
log.console = true
log.console.level = info
log.file = false
"""


def url(ground: Ground, user: str, link: Link | None = None) -> str:
    """The AMQP URL of one of its users, with its password; by way of `link` where given."""
    return f"amqp://{user}:{ground.password(user)}@{HOST}:{ground.way(BROKER, link)}/%2F"


def services(ground: Ground) -> list[Service]:
    """The node and its port mapper."""
    return [
        Service(
            PORT_MAPPER,
            configure=lambda: _port_mapper(ground),
            answers=lambda: accepts(ground.ports[PORT_MAPPER]),
        ),
        Service(
            BROKER,
            needs=(PORT_MAPPER,),
            configure=lambda: _node(ground),
            answers=lambda: _answers(ground),
        ),
    ]


def clear(ground: Ground) -> None:
    """Take everything from a running node: messages, queues, users but those of the lab.

    Raises:
        SubstrateError: it cannot be done, or the node holds publishers back (an alarm).
    """
    users = {each["name"] for each in _definitions(ground)["users"]}
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
        _management(ground).call("POST", "definitions", _definitions(ground))
    except BrokerSilent as error:
        raise SubstrateError(f"the broker does not take its definitions: {error}") from error
    if not accepts(ground.ports[BROKER]):
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
    return Management(f"http://{HOST}:{ground.ports[MANAGEMENT]}", url(ground, "admin"))


def control(ground: Ground, serve: Command, *arguments: str) -> str:
    """Run the node's own tool as the node itself runs, and return what it printed.

    Raises:
        SubstrateError: it failed, or took too long.
    """
    tool = programs.need("rabbitmqctl")
    try:
        done = subprocess.run(
            [tool, "--quiet", *arguments],
            env=dict(serve.env),
            cwd=serve.cwd,
            capture_output=True,
            text=True,
            timeout=CONTROL_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise SubstrateError(f"rabbitmqctl {arguments[0]} took over {CONTROL_S:g} s") from None
    if done.returncode != 0:
        raise SubstrateError(f"rabbitmqctl {arguments[0]}: {(done.stderr or done.stdout).strip()}")
    return done.stdout


def _port_mapper(ground: Ground) -> Launch:
    (port,) = ports = ground.listen(PORT_MAPPER)
    epmd = programs.need("epmd")
    return Launch(
        Command(
            (epmd, "-port", str(port), "-address", HOST),
            # Without HOME, Erlang's programs look for the cookie of whoever runs them.
            environment(HOME=str(ground.folder("broker"))),
            cwd=ground.folder("broker"),
        ),
        ports=ports,
    )


def _node(ground: Ground) -> Launch:
    ports = ground.listen(BROKER, MANAGEMENT, METRICS, _DISTRIBUTION)
    home = ground.folder("broker")
    shutil.rmtree(home / "data", ignore_errors=True)  # of a node that this one replaces
    definitions = write_private(
        home / "definitions.json", json.dumps(_definitions(ground), indent=1)
    )
    configuration = write_private(
        home / "rabbitmq.conf",
        _CONFIGURATION.format(
            host=HOST,
            amqp=ports[0],
            management=ports[1],
            metrics=ports[2],
            definitions=definitions,
        ),
    )
    write_private(home / ".erlang.cookie", ground.password("erlang cookie"), mode=0o400)
    plugins = write_private(home / "plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")
    advanced = write_private(home / "advanced.config", "[].\n")
    return Launch(
        Command(
            (programs.need("rabbitmq-server"),),
            _environment(ground, home, configuration, plugins, advanced),
            cwd=home,
        ),
        ports=ports,
    )


def _definitions(ground: Ground) -> dict[str, Any]:
    users = [
        topology.scraper(ground.password("scraper")),
        topology.worker(ground.password("worker"), events=ground.plan.flower),
        topology.operator(ground.password("operator")),
        topology.administrator(ground.password("admin")),
    ]
    if ground.plan.flower:
        users.append(topology.monitor(ground.password(MONITOR)))
    return topology.definitions(users, events=ground.plan.flower)


def _environment(
    ground: Ground, home: Path, configuration: Path, plugins: Path, advanced: Path
) -> dict[str, str]:
    return environment(
        HOME=str(home),
        ERL_EPMD_PORT=str(ground.ports[PORT_MAPPER]),
        ERL_EPMD_ADDRESS=HOST,
        RABBITMQ_NODENAME="rabbit@localhost",
        RABBITMQ_NODE_PORT=str(ground.ports[BROKER]),
        RABBITMQ_NODE_IP_ADDRESS=HOST,
        RABBITMQ_DIST_PORT=str(ground.ports[_DISTRIBUTION]),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=_ERLANG,
        RABBITMQ_CONF_ENV_FILE="/dev/null",
        RABBITMQ_CONFIG_FILE=str(configuration),
        RABBITMQ_ADVANCED_CONFIG_FILE=str(advanced),
        RABBITMQ_ENABLED_PLUGINS_FILE=str(plugins),
        RABBITMQ_MNESIA_BASE=_data(home),
        RABBITMQ_LOG_BASE=str(home / "log"),
        RABBITMQ_LOGS="-",
        # The start script then becomes the Erlang machine instead of staying in front of it, so
        # that signals, and the death of the lab, reach the broker itself.
        RUNNING_UNDER_SYSTEMD="true",
    )


def _data(home: Path) -> str:
    """Where the node keeps its data: `home / "data"`, without the spaces that may be in `home`.

    RabbitMQ 3.10 asks `df` for the free disk with the bare path. Where a space breaks that, its
    metrics hold a value that Prometheus cannot read, and refuses with all the others.
    """
    return "/proc/self/cwd/data" if sys.platform == "linux" else str(home / "data")


def _answers(ground: Ground) -> bool:
    """A login succeeds, every queue of the topology exists, and the side doors are open."""
    if not accepts(ground.ports[BROKER]):
        return False
    patience = {"read_timeout": 2, "write_timeout": 2}
    address = url(ground, "admin")
    with Connection(address, connect_timeout=2, transport_options=patience) as link:
        channel = link.channel()
        for queue in topology.QUEUES:
            channel.queue_declare(queue.name, passive=True)
    return accepts(ground.ports[MANAGEMENT]) and accepts(ground.ports[METRICS])


def accepts(port: int) -> bool:
    """Whether somebody takes connections on `port` of this machine."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
