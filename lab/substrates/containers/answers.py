"""Whether the services of a lab do their work, asked at the addresses that this machine has."""

from __future__ import annotations

import psycopg
import redis

from lab.clients import amqp
from lab.clients.management import Management
from lab.substrates.containers.stack import (
    AMQP,
    BROKER,
    BROKER_METRICS,
    DATABASE,
    MANAGEMENT,
    POSTGRESQL,
    REDIS,
    RESULTS,
    Stack,
)
from lab.substrates.local.roles import is_ok
from system.contract import topology


def broker_answers(stack: Stack) -> bool:
    """A login succeeds, every queue of the topology exists, and the side doors are open."""
    at = stack.here(BROKER, AMQP)
    with amqp.channel(stack.amqp("admin", at)) as channel:
        for queue in topology.QUEUES:
            amqp.depth(channel, queue.name)
    management = f"http://{stack.here(BROKER, MANAGEMENT)}"
    Management(management, stack.amqp("admin", at)).get("overview")
    return is_ok(stack.ports[BROKER, BROKER_METRICS], "/metrics")


def results_answers(stack: Stack) -> bool:
    """Redis answers a ping."""
    at = stack.redis(stack.here(RESULTS, REDIS))
    with redis.Redis.from_url(at, socket_timeout=2, socket_connect_timeout=2) as client:
        return bool(client.ping())


def database_answers(stack: Stack) -> bool:
    """A query succeeds, as the owner of the system's tables."""
    url = stack.postgresql(stack.here(DATABASE, POSTGRESQL))
    with psycopg.connect(url, connect_timeout=2) as connection:
        return connection.execute("select 1").fetchone() == (1,)
