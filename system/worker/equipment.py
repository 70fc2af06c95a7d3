"""What a worker works with: built, and tried, before it takes a message.

A setting that is wrong ends the worker at once, with its name. What is merely unavailable is waited
for, as it is later: the worker starts, and its messages wait.
"""

from __future__ import annotations

import os
import random
import signal
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING

import redis
import structlog

from system import garbage, telemetry, tls
from system.errors import PipelineError, Refused, SettingsError, Unavailable
from system.messaging import connection
from system.messaging.publisher import Publisher
from system.metrics.publishing import PublisherName
from system.settings import WorkerSettings
from system.worker import process_metrics, sinks
from system.worker.handling import Handler
from system.worker.metrics import WorkerMetrics
from system.worker.retry import Policy
from system.worker.streak import Streak

if TYPE_CHECKING:
    from system.worker.app import WorkerApp

log = structlog.get_logger("worker")

RESULTS_WITHIN_S = 2.0


def publisher(settings: WorkerSettings, name: PublisherName, metrics: WorkerMetrics) -> Publisher:
    """A publisher of the worker's; connects when it is first used.

    Raises:
        SettingsError: the broker's address is none, or a TLS file cannot be used.
    """
    return Publisher(
        settings.broker_url,
        name=name,
        trust=tls.trust(settings),
        metrics=metrics.publishing.of(name),
        # A message that cannot be put aside goes back to its queue, and comes again at once: in a
        # moment it would be poison. (The gate runs in the consumer's loop, which must not wait.)
        waits_for_login=name is PublisherName.WORKER_RETRY,
    )


def handler(settings: WorkerSettings, metrics: WorkerMetrics, streak: Streak) -> Handler:
    """What a pool child handles messages with; connects when it is first used.

    Raises:
        SettingsError: an address or a secret is missing or none, or a TLS file cannot be used.
    """
    return Handler(
        sink=sinks.make(settings, metrics.effects),
        publisher=publisher(settings, PublisherName.WORKER_RETRY, metrics),
        metrics=metrics,
        policy=Policy(),
        where=f"worker-{os.getppid()}@{socket.gethostname()}",
        rng=random.Random(),
        streak=streak,
        log_every=settings.log_applied_every,
    )


def check(app: WorkerApp) -> None:
    """Build what the pool's children will work with, and ask each other side whether it agrees.

    Takes seconds at most, also if nothing answers.

    Raises:
        SettingsError: names every setting that is missing, wrong or refused.
    """
    settings = app.settings
    wrong: list[str] = []

    def attempt(part: str, probe: Callable[[], object]) -> None:
        try:
            probe()
        except SettingsError as error:
            wrong.append(str(error))
        except Unavailable as error:
            log.warning("unavailable", part=part, error=str(error), so="asked again when needed")

    def sink() -> None:
        handler(settings, app.process_metrics.metrics, app.streak).sink.probe()

    attempt("sink", sink)
    attempt("broker", lambda: _probe_broker(settings))
    attempt("results", lambda: _probe_results(settings))
    if wrong:
        raise SettingsError("\n".join(wrong))


def equip_child(app: WorkerApp) -> None:
    """Give a pool child its own connections; none is shared across a fork.

    One that cannot have them ends, and lets the worker end: it must not take a message. Celery
    would log the exception and let it take all of them.
    """
    try:
        telemetry.configure("worker", app.settings.log_level)
        inherited = app.process_metrics.server
        metrics = process_metrics.child_metrics(app.settings, inherited)
        app.handler = handler(app.settings, metrics, app.streak)
        garbage.spare_what_is_loaded()
    except BaseException as error:
        app.unequipped.value = True
        known = isinstance(error, PipelineError)
        log.critical("cannot work", error=str(error) or repr(error), exc_info=not known)
        os.kill(os.getppid(), signal.SIGTERM)
        os._exit(1)


def _probe_broker(settings: WorkerSettings) -> None:
    url = settings.broker_url.get_secret_value()
    try:
        connection.probe(url, "worker-probe", tls.trust(settings))
    except Refused as refusal:
        raise SettingsError(f"MISSING_TABLE_BROKER_URL is refused: {refusal}") from None


def _probe_results(settings: WorkerSettings) -> None:
    if settings.result_url is None:
        return
    trust = {} if settings.ca_file is None else {"ssl_ca_certs": str(settings.ca_file)}
    url = settings.result_url.get_secret_value()
    try:
        with redis.Redis.from_url(
            url,
            socket_timeout=RESULTS_WITHIN_S,
            socket_connect_timeout=RESULTS_WITHIN_S,
            **(trust if url.startswith("rediss://") else {}),
        ) as results:
            results.ping()
    except ValueError:  # its words may hold a piece of the password
        raise SettingsError(
            "MISSING_TABLE_RESULT_URL is no address like redis://:password@host:port/0"
        ) from None
    except (redis.AuthenticationError, redis.ResponseError) as refusal:
        raise SettingsError(f"MISSING_TABLE_RESULT_URL is refused: {refusal}") from None
    except redis.RedisError as error:
        raise Unavailable(f"results: {error}") from error
