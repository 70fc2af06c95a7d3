"""Run a worker: `python -m system.worker`. Its settings come from the environment."""

from __future__ import annotations

import os
import socket
import sys

from system import telemetry
from system.errors import SettingsError
from system.settings import WorkerSettings, load
from system.worker import app as worker_app


def main() -> int:
    """Run until told to stop: SIGTERM finishes the tasks in hand first.

    Returns:
        0 after an orderly end, 2 where the settings are wrong.
    """
    try:
        settings = load(WorkerSettings)
    except SettingsError as error:
        print(f"The worker cannot start:\n{error}", file=sys.stderr)  # noqa: T201
        return 2
    telemetry.configure("worker", settings.log_level)
    app = worker_app.create(settings)
    worker = app.Worker(
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=True,
        quiet=True,
    )
    worker.start()
    return int(worker.exitcode or 0)


if __name__ == "__main__":
    sys.exit(main())
