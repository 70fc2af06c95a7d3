"""A private Redis for task results: in memory only, bounded, behind a password."""

from __future__ import annotations

import redis

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

RESULTS = name_of(Role.RESULTS)

_CONFIGURATION = """\
bind {host}
port {port}
requirepass {password}
dir "{folder}"
daemonize no
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
"""


def url(ground: Ground, link: Link | None = None) -> str:
    """The Redis URL, with its password; by way of `link` if given."""
    return f"redis://:{ground.password('redis')}@{HOST}:{ground.way(RESULTS, link)}/0"


def monitor(ground: Ground) -> dict[str, str]:
    """How redis_exporter logs in, by its environment."""
    return {
        "REDIS_ADDR": f"redis://{HOST}:{ground.ports[RESULTS]}",
        "REDIS_PASSWORD": ground.password("redis"),
    }


def services(ground: Ground) -> list[Service]:
    """The server."""
    return [Service(RESULTS, configure=lambda: _server(ground), answers=lambda: _answers(ground))]


def _server(ground: Ground) -> Launch:
    (port,) = ports = ground.listen(RESULTS)
    folder = ground.folder("results")
    configuration = write_private(
        folder / "redis.conf",
        _CONFIGURATION.format(
            host=HOST, port=port, folder=folder, password=ground.password("redis")
        ),
    )
    return Launch(
        Command((programs.need("redis-server"), str(configuration)), environment(), cwd=folder),
        ports=ports,
    )


def _answers(ground: Ground) -> bool:
    client = redis.Redis.from_url(url(ground), socket_timeout=2, socket_connect_timeout=1)
    try:
        return bool(client.ping())
    finally:
        client.close()
