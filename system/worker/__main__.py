"""Run a worker: `python -m system.worker`. Its settings come from the environment."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import sys

from system import garbage, telemetry
from system.errors import SettingsError
from system.settings import WorkerSettings, help_text, load
from system.worker import app as worker_app
from system.worker import equipment
from system.worker.process_metrics import ProcessMetrics, main_process

_ABOUT = "Takes matches from the broker and hands them to the backend, until SIGTERM."
_EXIT_CODES = """\
Exit codes:
  0  an orderly end: the tasks that ran were finished first
  1  a pool child could not work, or Celery stopped
  2  a setting is missing, wrong or refused, the port of the metrics is taken, or their folder
     belongs to another worker; nothing was taken from the broker
"""


def main() -> int:
    """Run until SIGTERM, which lets the running tasks finish first.

    Returns:
        See `--help`.
    """
    argparse.ArgumentParser(
        prog="python -m system.worker",
        description=_ABOUT,
        epilog=f"{help_text(WorkerSettings)}\n\n{_EXIT_CODES}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    ).parse_args()
    try:
        settings = load(WorkerSettings)
        telemetry.configure("worker", settings.log_level)
        with main_process(settings) as metrics:
            return _work(settings, metrics)
    except SettingsError as error:
        print(f"The worker cannot start:\n{error}", file=sys.stderr)  # noqa: T201
        return 2


def _work(settings: WorkerSettings, metrics: ProcessMetrics) -> int:
    # Until Celery listens to it: process 1 of a container is deaf to what it has no handler for.
    signal.signal(signal.SIGTERM, _end)
    app = worker_app.create(settings, metrics)
    if app.ready_file is not None:
        app.ready_file.unlink(missing_ok=True)  # of a worker that was killed
    app.alive.touch()
    equipment.check(app)
    worker = app.Worker(
        hostname=f"worker-{os.getpid()}@{socket.gethostname()}",
        without_gossip=True,
        without_mingle=True,
        without_heartbeat=not settings.task_events,
        quiet=True,
    )
    garbage.spare_what_is_loaded()
    worker.start()
    return 1 if app.unequipped.value else int(worker.exitcode or 0)


def _end(*_: object) -> None:
    """Nothing was taken yet, so nothing has to be finished."""
    sys.exit(0)


if __name__ == "__main__":
    sys.exit(main())
