"""Who takes part, each as its own documentation sets it up, with two worker processes.

docs/performance.md says how, in words.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from lab.errors import CannotRun
from load.bench.compare import wire
from load.bench.compare.library import Library
from load.bench.compare.pipeline import Pipeline
from load.bench.compare.turn import Contender

_APPS = "load.bench.compare.apps"
PROCESSES = 2

DRAMATIQ = Library(
    "dramatiq",
    (
        *("dramatiq", f"{_APPS}.dramatiq_app"),
        *("--processes", str(PROCESSES), "--threads", "2"),
    ),
    wire.DRAMATIQ_QUEUE,
    wire.as_dramatiq,
    concurrency=2,
    versions=("dramatiq", "pika", "psycopg"),
)
TASKIQ = Library(
    "taskiq",
    (
        *("taskiq", "worker", f"{_APPS}.taskiq_app:broker", "--workers", str(PROCESSES)),
        *("--ack-type", "when_executed"),
    ),
    wire.TASKIQ_QUEUE,
    wire.as_taskiq,
    concurrency=10,
    versions=("taskiq", "taskiq-aio-pika", "aio-pika", "asyncpg"),
)
FASTSTREAM = Library(
    "FastStream",
    ("faststream", "run", f"{_APPS}.faststream_app:app", "--workers", str(PROCESSES)),
    wire.FASTSTREAM_QUEUE,
    wire.as_json,
    concurrency=10,
    versions=("faststream", "aio-pika", "asyncpg"),
)
LIBRARIES = (DRAMATIQ, TASKIQ, FASTSTREAM)
PIPELINES = (Pipeline("api"), Pipeline("database"))


def all_of_them() -> list[Contender]:
    """Ours by both sinks, and the libraries.

    Raises:
        CannotRun: the extra `bench` is not installed.
    """
    modules = ("asyncpg", "dramatiq", "faststream", "taskiq", "taskiq_aio_pika")
    missing = [name for name in modules if find_spec(name) is None]
    if missing:
        raise CannotRun(
            f"{', '.join(missing)} is not installed; `make bench` does it, or "
            "`sh lab/dev/setup/setup.sh bench`"
        )
    return [*PIPELINES, *LIBRARIES]


def versions() -> dict[str, str]:
    """Of everything that is compared, by distribution."""
    names = {name for each in LIBRARIES for name in each.versions} | {"celery", "kombu", "uvloop"}
    found = {}
    for name in sorted(names):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
