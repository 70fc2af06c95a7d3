"""Each part of the system as a container."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial

from lab.substrates.abilities import OUTBOX
from lab.substrates.broker_logins import definitions
from lab.substrates.containers.answers import (
    broker_answers,
    database_answers,
    results_answers,
)
from lab.substrates.containers.inside import RELAYS, TOKEN
from lab.substrates.containers.stack import (
    AMQP,
    API,
    BROKER,
    BROKER_METRICS,
    CONTROL,
    DATABASE,
    HTTP,
    MANAGEMENT,
    METRICS,
    OF_SCRAPER,
    POSTGRESQL,
    REDIS,
    RESULTS,
    RUNNER,
    SCRAPER_EXPORTER,
    SCRAPER_METRICS,
    SITE,
    WORK,
    Stack,
    relay_port,
)
from lab.substrates.docker.container import File, Spec
from lab.substrates.local.roles import is_ok
from lab.substrates.plan import Link, Role

_READY = "/dev/shm/worker.ready"  # noqa: S108 - in the container
"""In memory, and so gone at each start. A tmpfs of one's own loses its mode (runc 1.1) when its
container starts for the second time."""
_SERVICE_UID = 999
"""As which RabbitMQ, Redis and PostgreSQL run in their public images."""

_RABBITMQ_CONF = """\
definitions.import_backend = local_filesystem
definitions.local.path = /etc/rabbitmq/definitions.json
disk_free_limit.absolute = 50MB
vm_memory_high_watermark.absolute = 512MB
log.console.level = info
"""
_REDIS_CONF = """\
requirepass {password}
dir /data
save ""
appendonly no
maxmemory 128mb
maxmemory-policy noeviction
"""
_ROLES_SQL = """\
CREATE ROLE backend LOGIN PASSWORD '{backend}';
CREATE DATABASE missing_table OWNER backend;
CREATE ROLE monitor LOGIN PASSWORD '{monitor}' IN ROLE pg_monitor;
"""


def broker(stack: Stack) -> Spec:
    """RabbitMQ. Its host name is part of its node's name, so it keeps its data."""
    ports = stack.publish(BROKER, AMQP, MANAGEMENT, BROKER_METRICS)
    known = definitions(stack.password, flower=False)

    return Spec(
        BROKER,
        stack.images.public["rabbitmq"],
        partial(broker_answers, stack),
        env={
            # An idle Erlang spins before it sleeps; on a machine that it shares, it should sleep.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+sbwt none +sbwtdcpu none +sbwtdio none",
        },
        files={
            "/etc/rabbitmq/conf.d/20-lab.conf": File(_RABBITMQ_CONF, _SERVICE_UID),
            "/etc/rabbitmq/definitions.json": File(json.dumps(known), _SERVICE_UID),
            "/etc/rabbitmq/enabled_plugins": File(
                "[rabbitmq_management,rabbitmq_prometheus].\n", _SERVICE_UID, 0o644
            ),
        },
        volumes={BROKER: "/var/lib/rabbitmq"},
        published=ports,
    )


def results(stack: Stack) -> Spec:
    """Redis: in memory only, bounded, behind a password."""
    ports = stack.publish(RESULTS, REDIS)

    content = _REDIS_CONF.format(password=stack.password("redis"))
    return Spec(
        RESULTS,
        stack.images.public["redis"],
        partial(results_answers, stack),
        command=("redis-server", "/etc/lab.conf"),
        files={"/etc/lab.conf": File(content, _SERVICE_UID)},
        volumes={RESULTS: "/data"},
        published=ports,
    )


def database(stack: Stack) -> Spec:
    """PostgreSQL, with an empty database and a user that owns it."""
    ports = stack.publish(DATABASE, POSTGRESQL)

    roles = _ROLES_SQL.format(backend=stack.password("backend"), monitor=stack.password("monitor"))
    return Spec(
        DATABASE,
        stack.images.public["postgresql"],
        partial(database_answers, stack),
        env={
            "POSTGRES_PASSWORD": stack.password("postgres"),
            "PGDATA": "/var/lib/postgresql/data/pgdata",
        },
        files={"/docker-entrypoint-initdb.d/roles.sql": File(roles, _SERVICE_UID)},
        volumes={DATABASE: "/var/lib/postgresql/data"},
        published=ports,
        stop="INT",
    )


def api(stack: Stack) -> Spec:
    """The backend, with its tables made first."""
    ports = stack.publish(API, HTTP)
    at = stack.inside(DATABASE, POSTGRESQL, Link.API_DATABASE)
    env = {
        "MISSING_TABLE_DATABASE_URL": stack.postgresql(at),
        "MISSING_TABLE_API_TOKEN": stack.password("api"),
    }
    serve = ("serve", "--host", "0.0.0.0", "--port", str(HTTP))  # noqa: S104 - in the container
    return _system(
        stack,
        Role.API,
        Spec(
            API,
            stack.images.system,
            partial(is_ok, ports[HTTP], "/readyz"),
            command=("system.backend", *serve),
            env=env,
            fleeting=("/tmp",),  # noqa: S108 - in the container
            published=ports,
            needs=(DATABASE, RUNNER),
            prepare=("system.backend", "migrate"),
        ),
    )


def worker(stack: Stack, index: int, is_there: Callable[[str, str], bool]) -> Spec:
    """One worker. It touches a file when it is ready.

    Args:
        is_there: tells whether a container has a file, by the names of both.
    """
    name = f"{Role.WORKER}-{index}"
    given = stack.plan.settings.get(Role.WORKER, {})
    env = {
        "MISSING_TABLE_BROKER_URL": stack.amqp(
            "worker", stack.inside(BROKER, AMQP, Link.WORKER_BROKER)
        ),
        "MISSING_TABLE_RESULT_URL": stack.redis(stack.inside(RESULTS, REDIS, Link.WORKER_RESULTS)),
        "MISSING_TABLE_CONCURRENCY": str(stack.plan.concurrency),
        "MISSING_TABLE_READY_FILE": _READY,
    }
    if given.get("MISSING_TABLE_SINK") == "database":
        env["MISSING_TABLE_DATABASE_URL"] = stack.postgresql(stack.inside(DATABASE, POSTGRESQL))
    else:
        env["MISSING_TABLE_API_URL"] = f"http://{stack.inside(API, HTTP, Link.WORKER_API)}"
        env["MISSING_TABLE_API_TOKEN"] = stack.password("api")
    if stack.plan.monitoring:
        # On a volume, so that its counters go on after a restart.
        env["MISSING_TABLE_METRICS_FOLDER"] = "/tmp/metrics"  # noqa: S108 - in the container
        env["MISSING_TABLE_METRICS_HOST"] = "0.0.0.0"  # noqa: S104 - in the container
        env["MISSING_TABLE_METRICS_PORT"] = str(METRICS)
    return _system(
        stack,
        Role.WORKER,
        Spec(
            name,
            stack.images.system,
            partial(is_there, name, _READY),
            command=("system.worker",),
            env=env,
            volumes={name: "/tmp"},  # noqa: S108 - in the container
            every_s=1.0,  # each look is a program in the container
            # Its first connection is to the broker; without one it would come back after seconds.
            needs=(BROKER, API, RUNNER),
        ),
    )


def site(stack: Stack) -> Spec:
    """The web site that the scraper reads."""
    ports = stack.publish(SITE, HTTP)
    plan = stack.plan
    return Spec(
        SITE,
        stack.images.lab,
        partial(is_ok, ports[HTTP], "/healthz"),
        command=(
            "lab.workload.league.site",
            *("--seed", str(plan.seed), "--matches", str(plan.matches)),
            *("--host", "0.0.0.0", "--port", str(HTTP)),  # noqa: S104 - in the container
            *("--page-delay-ms", str(plan.page_delay_ms)),
        ),
        fleeting=("/tmp",),  # noqa: S108 - in the container
        published=ports,
        sealed=True,
    )


def runner(stack: Stack, relays: Callable[[Stack], list[dict[str, object]]]) -> Spec:
    """Runs programs and relays; see `inside`.

    Args:
        relays: gives what it passes on, when all ports are known.
    """
    ports = stack.publish(RUNNER, CONTROL, *map(relay_port, OF_SCRAPER))
    return Spec(
        RUNNER,
        stack.images.lab,
        partial(is_ok, ports[CONTROL], "/healthz"),
        command=("lab.substrates.containers.inside", "--port", str(CONTROL), "--folder", WORK),
        env={TOKEN: stack.password(RUNNER), RELAYS: json.dumps(relays(stack))},
        volumes={RUNNER: "/tmp"},  # noqa: S108 - in the container
        published=ports,
        sealed=True,
    )


def scraper_exporter(stack: Stack) -> Spec:
    """The exporter of the scraper's metrics, which also answers between its runs."""
    ports = stack.publish(SCRAPER_EXPORTER, METRICS)
    serve = ("metrics", "--host", "0.0.0.0", "--port", str(METRICS))  # noqa: S104 - in the container
    return _system(
        stack,
        Role.SCRAPER_EXPORTER,
        Spec(
            SCRAPER_EXPORTER,
            stack.images.system,
            partial(is_ok, ports[METRICS], "/metrics"),
            command=("system.scraper", *serve),
            env={
                "MISSING_TABLE_METRICS_FOLDER": SCRAPER_METRICS,
                "MISSING_TABLE_OUTBOX": f"{WORK}/{OUTBOX}",
            },
            volumes={RUNNER: "/tmp"},  # noqa: S108 - in the container
            published=ports,
            needs=(RUNNER,),
        ),
    )


def _system(stack: Stack, role: Role, spec: Spec) -> Spec:
    """A role of the system, as the plan wants it: its settings, and behind its wrapper."""
    env = {**spec.env, **stack.plan.settings.get(role, {})}
    wrapper = stack.plan.wrapper.get(role)
    if wrapper is None:
        return replace(spec, env=env, sealed=True)
    # Weakened versions are not in the system's own image.
    image, command = stack.images.lab, (wrapper, *spec.command)
    prepare = (wrapper, *spec.prepare) if spec.prepare else ()
    return replace(spec, env=env, sealed=True, image=image, command=command, prepare=prepare)
