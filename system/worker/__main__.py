"""Run a worker: `python -m system.worker`. Its settings come from the environment."""

from __future__ import annotations

import os
import socket
import sys

from system import telemetry
from system.errors import SettingsError
from system.settings import WorkerSettings, load
from system.worker import app as worker_app
from system.worker.process_metrics import ProcessMetrics, main_process


def main() -> int:
    """Run until SIGTERM, which lets the running tasks finish first.

    Returns:
        0 after an orderly end, 2 if the settings are wrong, the port of the metrics is taken, or
        their folder belongs to another worker.
    """
    try:
        settings = load(WorkerSettings)
        telemetry.configure("worker", settings.log_level)
        with main_process(settings) as metrics:
            return _work(settings, metrics)
    except SettingsError as error:
        print(f"The worker cannot start:\n{error}", file=sys.stderr)  # noqa: T201
        return 2


def _work(settings: WorkerSettings, metrics: ProcessMetrics) -> int:
    app = worker_app.create(settings, metrics)
    worker = app.Worker(
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=not settings.task_events,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
