"""A worker beside the lab's own: with other settings, or of another version."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lab.errors import SubstrateError
from lab.experiment.lab import Lab
from lab.paths import PROJECT
from lab.substrates.local.processes import Command
from lab.substrates.local.service import environment
from lab.wait import eventually
from scenarios.support import hello
from scenarios.support.processes import running

READY_WITHIN_S = 60.0


@contextmanager
def in_place_of_the_worker(
    lab: Lab, name: str, settings: Mapping[str, str], *, wrapper: str = ""
) -> Iterator[None]:
    """The lab's worker ends in order, this one works during the block, then the lab's is back.

    Args:
        lab: where.
        name: of its log.
        settings: environment variables over those of the lab's own worker.
        wrapper: a module that starts in place of the worker and is given its name.
    """
    ends, folder = lab.endpoints, lab.folder.absolute()
    ready = folder / f"{name}.ready"
    ready.unlink(missing_ok=True)
    env = {
        "MISSING_TABLE_BROKER_URL": ends.broker_urls["worker"],
        "MISSING_TABLE_API_URL": ends.api_url,
        "MISSING_TABLE_API_TOKEN": ends.api_token,
        "MISSING_TABLE_CONCURRENCY": "1",
        "MISSING_TABLE_READY_FILE": str(ready),
        "PYTHONPATH": str(PROJECT),
    }
    modules = (wrapper, "system.worker") if wrapper else ("system.worker",)
    command = Command(
        (sys.executable, "-m", *modules), environment(**{**env, **settings}), cwd=folder
    )
    with hello.no_worker(lab), running(command, folder / "logs" / f"{name}.log") as process:
        eventually(
            f"the worker {name} to be ready, or to have ended",
            lambda: ready.exists() or process.ended() is not None,
            within_s=READY_WITHIN_S,
        )
        if process.ended() is not None:
            raise SubstrateError(f"the worker {name} ended; its log is in {folder / 'logs'}")
        yield
        process.send(command.stop)
        if not process.wait(READY_WITHIN_S):
            raise SubstrateError(f"the worker {name} was asked to end, and did not")
