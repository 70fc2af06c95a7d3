"""A worker beside the lab's own: with other settings, or of another version."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from lab.errors import SubstrateError
from lab.experiment.lab import Lab
from lab.substrates.abilities import Program
from lab.wait import eventually
from scenarios.support import hello

READY_WITHIN_S = 120.0


@contextmanager
def in_place_of_the_worker(
    lab: Lab, name: str, settings: Mapping[str, str | None], *, wrapper: str | None = None
) -> Iterator[None]:
    """Stop the lab's worker in order, run this one for the block, then start the lab's again.

    Args:
        lab: where.
        name: of its log.
        settings: environment variables over those of the lab's own worker; None removes one.
        wrapper: a module that is run in place of the worker and gets its name.
    """
    ready = f"{name}.ready"
    usual = {"MISSING_TABLE_CONCURRENCY": "1", "MISSING_TABLE_READY_FILE": ready}
    with (
        hello.no_worker(lab),
        lab.programs.started(
            Program.WORKER, log=name, settings={**usual, **settings}, wrapper=wrapper
        ) as worker,
    ):
        eventually(
            f"the worker {name} to be ready, or to have ended",
            lambda: lab.programs.read(ready) is not None or worker.ended() is not None,
            within_s=READY_WITHIN_S,
        )
        if worker.ended() is not None:
            raise SubstrateError(f"the worker {name} ended; its log is called {name}")
        yield
        worker.terminate()
        if not worker.wait(READY_WITHIN_S):
            raise SubstrateError(f"the worker {name} was asked to end, and did not")
