"""The Celery application: every setting here is kept for the failure that it prevents.

Settings that merely repeat Celery's defaults are left out; a test checks the defaults that we rely
on. A comment says what each setting prevents; docs/reference/guards.md names the test that shows
it.
"""

from __future__ import annotations

import socket
import ssl
from ctypes import c_bool
from multiprocessing.sharedctypes import RawValue
from pathlib import Path
from typing import Any

from celery import Celery, signals
from celery.events import event_exchange
from kombu.entity import Exchange, Queue

from system.contract.addresses import addresses
from system.contract.topology import EXCHANGE, PROCESS_QUEUE, WORK_QUEUES
from system.messaging.publisher import Publisher
from system.metrics.publishing import PublisherName
from system.settings import WorkerSettings
from system.worker import equipment, frames, process_metrics, results_login, tasks
from system.worker.brake import TRY_WITHIN_S, State
from system.worker.brake import Limits as BrakeLimits
from system.worker.braking import Braking
from system.worker.broker_login import tls_options
from system.worker.coalescing import Limits
from system.worker.gathering import Gatherer
from system.worker.handling import Handler
from system.worker.heartbeat import Alive, Heartbeat
from system.worker.process_metrics import ProcessMetrics
from system.worker.streak import Streak

RESULT_EXPIRES_S = 3600
TCP_STALL_MS = 15_000
CHILD_KIB_MAX = 300_000


class WorkerApp(Celery):
    """A Celery application that carries what its tasks and its consumer need.

    Attributes:
        handler: of a pool child; the main process has none.
        put_aside: publishes what the gate does not admit.
        alive: the file by which its main loop says that it goes on.
        streak: what the pool's children met.
        brake: where the brake is; see `worker.braking`.
        coalescing: how far matches are applied together.
        gatherer: what gathers them on the present connection; None before the first one, and where
            they are not gathered.
        prefetch: deliveries that it holds of each queue.
        unequipped: true once a pool child ended since it could not be given what it works with.
    """

    amqp_cls = "system.worker.prefetch:QueuePrefetchAMQP"

    settings: WorkerSettings
    process_metrics: ProcessMetrics
    handler: Handler
    put_aside: Publisher
    ready_file: Path | None
    alive: Alive
    streak: Streak
    brake: State
    coalescing: Limits
    gatherer: Gatherer | None
    brake_limits: BrakeLimits
    prefetch: dict[str, int]
    unequipped: c_bool


def configuration(settings: WorkerSettings) -> dict[str, Any]:
    """Celery's configuration, as data.

    Of a cluster it is told one node: `BrokerLogin` knows the others, and when to go to them.
    """
    broker = addresses(settings.broker_url.get_secret_value())[0]
    exchange = Exchange(EXCHANGE, type="topic", durable=True)
    return {
        "broker_url": broker,
        "broker_use_ssl": tls_options(settings, broker),
        "redis_backend_use_ssl": _results_ssl(settings),
        **results_login.configuration(settings.result_url),
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
        "worker_enable_prefetch_count_reduction": False,  # each queue has its own: see `prefetch`
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


def _results_ssl(settings: WorkerSettings) -> dict[str, Any] | None:
    """TLS for rediss://, as redis-py's options; it checks the host's name by default."""
    if not (settings.result_url and settings.result_url.get_secret_value().startswith("rediss://")):
        return None
    return {"ssl_cert_reqs": ssl.CERT_REQUIRED, "ssl_ca_certs": _path(settings.ca_file)}


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)


def create(settings: WorkerSettings, metrics: ProcessMetrics | None = None) -> WorkerApp:
    """Build the application. Connects to nothing yet.

    Args:
        settings: of the worker.
        metrics: of the main process; kept in memory, if left out.

    Raises:
        SettingsError: the broker's address is none, or a TLS file cannot be used.
    """
    frames.use()
    app = WorkerApp("worker", set_as_current=False)
    app.conf.update(configuration(settings))
    app.settings = settings
    app.process_metrics = metrics or process_metrics.create(settings)
    app.ready_file, app.alive = settings.ready_file, Alive(settings.alive_file)
    if settings.task_events:
        event_exchange.no_declare = True  # the broker's definitions declare it; the worker may not
    app.steps["consumer"].update((Heartbeat, Braking))
    app.brake, app.brake_limits = State(), brake_limits(settings)
    app.streak = Streak(settings.brake_messages)
    app.put_aside = equipment.publisher(
        settings, PublisherName.WORKER_GATE, app.process_metrics.metrics
    )
    app.coalescing, app.gatherer = coalescing_limits(settings), None
    app.prefetch = queue_prefetch(settings)
    tasks.register(app)
    app.unequipped = RawValue(c_bool)
    signals.worker_process_init.connect(lambda **_: equipment.equip_child(app), weak=False)
    return app


def coalescing_limits(settings: WorkerSettings) -> Limits:
    """How the settings set coalescing. Flower wants an event for each task, so there is none."""
    return Limits(
        size=1 if settings.task_events else settings.batch_size,
        wait_s=settings.batch_wait_ms / 1000,
        children=settings.concurrency,
    )


def queue_prefetch(settings: WorkerSettings) -> dict[str, int]:
    """Deliveries that the worker holds of each queue."""
    usual = settings.concurrency * settings.prefetch_multiplier
    limits = coalescing_limits(settings)
    matches = max(usual, limits.prefetch) if limits.size > 1 else usual
    return {name: matches if name == PROCESS_QUEUE else usual for name in WORK_QUEUES}


def brake_limits(settings: WorkerSettings) -> BrakeLimits:
    """How the settings set the brake."""
    return BrakeLimits(
        messages=settings.brake_messages,
        pause_s=settings.brake_pause_s,
        pause_max_s=settings.brake_pause_max_s,
        try_s=settings.hard_time_limit_s + TRY_WITHIN_S,
    )
