"""A private RabbitMQ of one node or of a cluster, and the port mapper (epmd) that Erlang needs.

Everything that Debian's or Homebrew's own node would read or use is named anew: home, cookie, node
name, configuration, data, plugins, port mapper. So a node of the machine is neither needed nor
touched. The topology is loaded at boot, before anybody can connect.

The nodes of a cluster start one after the other, each joining the first. The last one loads the
topology: only then are all there, and each quorum queue gets a member on every node.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

from kombu.connection import Connection

from lab.errors import SubstrateError
from lab.substrates.broker_logins import definitions
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

PORT_MAPPER = "broker-epmd"
BROKER = name_of(Role.BROKER)
"""The first node, which is always there."""
MANAGEMENT = "management"
METRICS = "metrics"
_DISTRIBUTION = "distribution"

# An idle Erlang spins before it sleeps; on a laptop that it shares, it should just sleep.
_ERLANG = "+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}"
# For the node and its tools: rabbitmqctl starts a port mapper where it finds none, as when the lab
# is just being killed; that one would outlive everything.
_NO_OTHER_PORT_MAPPER = "-start_epmd false"
# What Erlang reads first, from the folder that the node runs in.
_FIRST = "ERL_AFLAGS"
_PRELOAD = Path(__file__).with_name("preload.erl")

_CLUSTER_ERLANG = " -kernel net_ticktime 10"
"""A node that hangs is given up by the others after 7.5 to 12.5 seconds, instead of a minute."""

CONTROL_S = 180.0

_CONFIGURATION = """\
listeners.tcp.local = {host}:{amqp}
management.tcp.ip = {host}
management.tcp.port = {management}
prometheus.tcp.ip = {host}
prometheus.tcp.port = {metrics}
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
log.console = true
log.console.level = info
log.file = false
collect_statistics_interval = 1000
"""
_ADVANCED = "[{rabbit, [{quorum_tick_interval, 1000}]}].\n"
"""This and the interval above: the queues' own counts each second, instead of each fifth."""
COUNTS_AGE_S = 2.0
"""A second, and one more on a busy machine."""
_LOADS = """\
definitions.import_backend = local_filesystem
definitions.local.path = {definitions}
"""
# Until the last node has brought the users, this one has to be asked whether it is there.
_WAITS = """\
default_user = admin
default_pass = {password}
"""
# Who sees the smaller half of a split cluster stops, and so confirms nothing that the others lack.
_CLUSTERED = """\
cluster_partition_handling = pause_minority
"""
_JOINS = """\
cluster_formation.peer_discovery_backend = classic_config
cluster_formation.classic_config.nodes.1 = {first}
cluster_formation.classic_config.nodes.2 = {own}
"""


def names(ground: Ground) -> list[str]:
    """The names of the nodes, the first one first."""
    return [name_of(Role.BROKER, index) for index in range(ground.plan.brokers)]


def url(ground: Ground, user: str, link: Link | None = None) -> str:
    """The AMQP URL of one of its users, with its password; by way of `link` where given.

    Of a cluster: the URL of each node, with `;` between them.
    """
    return ";".join(_url(ground, user, name, link) for name in names(ground))


def management_url(ground: Ground) -> str:
    """The address of the management API; of a cluster those of all nodes, with `;` between them."""
    ports = [ground.ports[part(MANAGEMENT, name)] for name in names(ground)]
    return ";".join(f"http://{HOST}:{port}" for port in ports)


def part(of: str, node: str) -> str:
    """The name of a node's port of this kind, such as MANAGEMENT."""
    return of if node == BROKER else f"{of} of {node}"


def _url(ground: Ground, user: str, node: str, link: Link | None = None) -> str:
    return f"amqp://{user}:{ground.password(user)}@{HOST}:{ground.way(node, link)}/%2F"


def services(ground: Ground) -> list[Service]:
    """The nodes and their port mapper."""
    nodes = names(ground)
    return [
        Service(
            PORT_MAPPER,
            configure=lambda: _port_mapper(ground),
            answers=lambda: accepts(ground.ports[PORT_MAPPER]),
        ),
        *(
            Service(
                node,
                needs=(before,),
                configure=partial(_node, ground, node),
                answers=partial(_answers, ground, node),
            )
            for before, node in pairwise((PORT_MAPPER, *nodes))
        ),
    ]


def control(ground: Ground, serve: Command, *arguments: str) -> str:
    """Run the node's own tool as the node itself runs, and return what it printed.

    Raises:
        SubstrateError: it failed, or took too long.
    """
    tool = programs.need("rabbitmqctl")
    try:
        done = subprocess.run(
            [tool, "--quiet", *arguments],
            env={name: value for name, value in serve.env.items() if name != _FIRST},
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


def _node(ground: Ground, node: str) -> Launch:
    sides = (part(each, node) for each in (MANAGEMENT, METRICS, _DISTRIBUTION))
    ports = ground.listen(node, *sides)
    home = _home(ground, node)
    shutil.rmtree(home / "data", ignore_errors=True)  # of a node that this one replaces
    configuration = write_private(
        home / "rabbitmq.conf",
        _CONFIGURATION.format(host=HOST, amqp=ports[0], management=ports[1], metrics=ports[2])
        + _place_in_cluster(ground, node),
    )
    write_private(home / ".erlang.cookie", ground.password("erlang cookie"), mode=0o400)
    plugins = write_private(home / "plugins", "[rabbitmq_management,rabbitmq_prometheus].\n")
    advanced = write_private(home / "advanced.config", _ADVANCED)
    write_private(home / _PRELOAD.name, _PRELOAD.read_text("utf-8"))
    return Launch(
        Command(
            (programs.need("rabbitmq-server"),),
            _environment(ground, node, configuration, plugins, advanced),
            cwd=home,
        ),
        ports=ports,
    )


def _place_in_cluster(ground: Ground, node: str) -> str:
    """What the node's configuration says of the others."""
    nodes = names(ground)
    said = _CLUSTERED if len(nodes) > 1 else ""
    if node != nodes[0]:
        said += _JOINS.format(first=_erlang_name(nodes[0]), own=_erlang_name(node))
    if node != nodes[-1]:
        return said + _WAITS.format(password=ground.password("admin"))
    definitions = write_private(
        _home(ground, node) / "definitions.json", json.dumps(defined(ground), indent=1)
    )
    return said + _LOADS.format(definitions=definitions)


def _home(ground: Ground, node: str) -> Path:
    return ground.folder("broker" if node == BROKER else node)


def _erlang_name(node: str) -> str:
    return "rabbit@localhost" if node == BROKER else f"{node}@localhost"


def defined(ground: Ground) -> dict[str, Any]:
    """What the broker of this lab is to hold, as RabbitMQ's definitions."""
    return definitions(ground.password, flower=ground.plan.flower)


def _environment(
    ground: Ground, node: str, configuration: Path, plugins: Path, advanced: Path
) -> dict[str, str]:
    home = _home(ground, node)
    return environment(
        HOME=str(home),
        ERL_FLAGS=_NO_OTHER_PORT_MAPPER,
        **{_FIRST: f"-run file eval {_PRELOAD.name}"},
        ERL_EPMD_PORT=str(ground.ports[PORT_MAPPER]),
        ERL_EPMD_ADDRESS=HOST,
        RABBITMQ_NODENAME=_erlang_name(node),
        RABBITMQ_NODE_PORT=str(ground.ports[node]),
        RABBITMQ_NODE_IP_ADDRESS=HOST,
        RABBITMQ_DIST_PORT=str(ground.ports[part(_DISTRIBUTION, node)]),
        RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=(
            _ERLANG if ground.plan.brokers == 1 else _ERLANG + _CLUSTER_ERLANG
        ),
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


def _answers(ground: Ground, node: str) -> bool:
    """Its doors are open, and a login succeeds; at the last one, every queue exists, too."""
    doors = [node, part(MANAGEMENT, node), part(METRICS, node)]
    if not all(accepts(ground.ports[each]) for each in doors):
        return False
    patience = {"read_timeout": 2, "write_timeout": 2}
    address = _url(ground, "admin", node)
    with Connection(address, connect_timeout=2, transport_options=patience) as link:
        channel = link.channel()
        if node == names(ground)[-1]:
            for queue in topology.QUEUES:
                channel.queue_declare(queue.name, passive=True)
    return True


def accepts(port: int) -> bool:
    """Whether somebody takes connections on `port` of this machine."""
    try:
        with socket.create_connection((HOST, port), timeout=1):
            return True
    except OSError:
        return False
