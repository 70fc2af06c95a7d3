"""The Celery application: every setting here is kept for the failure that it prevents.

Settings that merely repeat Celery's defaults are left out; a test checks the defaults that we rely
on. A comment says what each setting prevents; docs/reference/guards.md names the test that shows
it.
"""

from __future__ import annotations

import os
import random
import socket
import ssl
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery.events import event_exchange
from kombu.entity import Exchange, Queue

from system import telemetry, tls
from system.contract.topology import EXCHANGE, WORK_QUEUES
from system.messaging.publisher import Publisher
from system.metrics.publishing import PublisherName
from system.settings import WorkerSettings
from system.worker import process_metrics, sinks, tasks
from system.worker.handling import Handler
from system.worker.heartbeat import Heartbeat
from system.worker.metrics import WorkerMetrics
from system.worker.process_metrics import ProcessMetrics
from system.worker.retry import Policy

RESULT_EXPIRES_S = 3600
TCP_STALL_MS = 15_000
CHILD_KIB_MAX = 300_000


class WorkerApp(Celery):
    """A Celery application that carries what its tasks and its consumer need."""

    settings: WorkerSettings
    process_metrics: ProcessMetrics
    handler: Handler
    dead_letters: Publisher
    ready_file: Path | None


def configuration(settings: WorkerSettings) -> dict[str, Any]:
    """Celery's configuration, as data."""
    exchange = Exchange(EXCHANGE, type="topic", durable=True)
    return {
        "broker_url": settings.broker_url.get_secret_value(),
        "broker_use_ssl": _broker_ssl(settings),
        "redis_backend_use_ssl": _results_ssl(settings),
        "result_backend": settings.result_url.get_secret_value() if settings.result_url else None,
        # Quorum queues, declared by the broker's definitions: the worker may not declare any.
        "task_queues": [
            Queue(
                name,
                exchange,
                routing_key=name,
                queue_arguments={"x-queue-type": "quorum"},
                no_declare=True,
            )
            for name in WORK_QUEUES
        ],
        # Acknowledge after the effect, never before: a crash then redelivers instead of losing.
        "task_acks_late": True,
        "task_reject_on_worker_lost": True,  # a killed child's message goes back to the queue
        "task_acks_on_failure": False,  # an unforeseen failure is dead-lettered, not acknowledged
        "task_acks_on_timeout": False,
        # A match does not need Redis: it may be unavailable.
        "task_ignore_result": True,
        "result_expires": RESULT_EXPIRES_S,
        "redis_socket_timeout": 2,
        "redis_socket_connect_timeout": 2,
        "result_backend_transport_options": {
            "retry_policy": {
                "max_retries": 2,
                "interval_start": 0,
                "interval_step": 0.2,
                "interval_max": 0.5,
            }
        },
        # Wait for an unavailable broker, however long; notice within seconds that it has gone.
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "broker_channel_error_retry": True,
        "broker_heartbeat": 10,
        # Linux only: py-amqp would drop the connection after a stall of a second.
        "broker_transport_options": {
            "socket_settings": (
                {socket.TCP_USER_TIMEOUT: TCP_STALL_MS}
                if hasattr(socket, "TCP_USER_TIMEOUT")
                else {}
            ),
        },
        # After a lost connection the broker delivers the messages again: end the first copies.
        "worker_cancel_long_running_tasks_on_connection_loss": True,
        "task_soft_time_limit": settings.soft_time_limit_s,
        "task_time_limit": settings.hard_time_limit_s,
        "worker_concurrency": settings.concurrency,
        "worker_prefetch_multiplier": settings.prefetch_multiplier,
        # Bounds what a leak could cost. Measured: 69 MB, the same after 750 matches as after 7,500,
        # so children are not replaced after a number of tasks.
        "worker_max_memory_per_child": CHILD_KIB_MAX,
        # Remote control needs exclusive queues, which prevent reconnecting after a half-open
        # connection. Signals and probes suffice. (Events are off by default: they block the worker
        # during an alarm of the broker.)
        "worker_enable_remote_control": False,
        "worker_send_task_events": settings.task_events,
        "worker_consumer": "system.worker.consumer:GatedConsumer",
        "worker_hijack_root_logger": False,
        "worker_redirect_stdouts": False,
    }


def _broker_ssl(settings: WorkerSettings) -> dict[str, Any] | None:
    """TLS for amqps://, as py-amqp's options; it checks the host's name because it is given one."""
    if not settings.broker_url.get_secret_value().startswith("amqps://"):
        return None
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": None,  # kombu puts the url's host here
        "ca_certs": _path(settings.ca_file),
        "certfile": _path(settings.cert_file),
        "keyfile": _path(settings.key_file),
    }


def _results_ssl(settings: WorkerSettings) -> dict[str, Any] | None:
    """TLS for rediss://, as redis-py's options; it checks the host's name by default."""
    if not (settings.result_url and settings.result_url.get_secret_value().startswith("rediss://")):
        return None
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": _path(settings.ca_file)}


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)


def _publisher(settings: WorkerSettings, name: PublisherName, metrics: WorkerMetrics) -> Publisher:
    return Publisher(
        settings.broker_url.get_secret_value(),
        name=name,
        trust=tls.trust(settings),
        metrics=metrics.publishing.of(name),
    )


def create(settings: WorkerSettings, metrics: ProcessMetrics | None = None) -> WorkerApp:
    """Build the application. Connects to nothing yet.

    Args:
        settings: of the worker.
        metrics: of the main process; kept in memory, if left out.
    """
    app = WorkerApp("worker", set_as_current=False)
    app.conf.update(configuration(settings))
    app.settings = settings
    app.process_metrics = metrics or process_metrics.create(settings)
    app.ready_file = settings.ready_file
    if settings.task_events:
        event_exchange.no_declare = True  # the broker's definitions declare it; the worker may not
    app.steps["consumer"].add(Heartbeat)
    app.dead_letters = _publisher(settings, PublisherName.WORKER_GATE, app.process_metrics.metrics)
    tasks.register(app)
    signals.worker_process_init.connect(lambda **_: _equip(app), weak=False)
    return app


def _equip(app: WorkerApp) -> None:
    """Give a pool child its own connections; none is shared across a fork."""
    settings = app.settings
    telemetry.configure("worker", settings.log_level)
    metrics = process_metrics.child_metrics(settings, app.process_metrics.server)
    app.handler = Handler(
        sink=sinks.make(settings, metrics.effects),
        publisher=_publisher(settings, PublisherName.WORKER_RETRY, metrics),
        metrics=metrics,
        policy=Policy(),
        where=f"worker-{os.getppid()}@{socket.gethostname()}",
        rng=random.Random(),
    )
