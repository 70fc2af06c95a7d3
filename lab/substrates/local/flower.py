"""Flower: a page that shows what Celery's workers do, made of the events that they send.

It runs only if the plan asks for it, because events have a price: they block a worker while the
broker has an alarm. It has no login, so it listens on this machine only, and can change nothing.
"""

from __future__ import annotations

import sys
from functools import partial

from lab.paths import PROJECT
from lab.substrates import broker_logins
from lab.substrates.local import broker, roles
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command
from lab.substrates.local.service import Ground, Service, environment, name_of
from lab.substrates.plan import Role

FLOWER = name_of(Role.FLOWER)
_APP = "lab.substrates.local.flower_app"
_TASKS_MAX = 10_000


def service(ground: Ground) -> Service:
    """Flower, beside the broker."""
    # Its first connection is to the broker; without one it would only come back after seconds.
    command = partial(_command, ground)
    return roles.web_service(ground, FLOWER, "/healthcheck", command, broker.names(ground)[-1])


def _command(ground: Ground, port: int) -> Command:
    env = environment(
        PYTHONPATH=str(PROJECT),
        PYTHONUNBUFFERED="1",
        CELERY_BROKER_URL=broker.url(ground, broker_logins.MONITOR),
        FLOWER_ADDRESS=HOST,
        FLOWER_PORT=str(port),
        FLOWER_READ_ONLY="true",
        FLOWER_ENABLE_EVENTS="false",  # the workers send them anyway; they take no commands
        FLOWER_MAX_TASKS=str(_TASKS_MAX),
    )
    argv = (sys.executable, "-m", "celery", "--quiet", "-A", _APP, "flower")
    return Command(argv, env, cwd=ground.folder(str(Role.FLOWER)))
