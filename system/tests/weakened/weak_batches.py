"""Switches a guard of batches off, as the variable WEAKENED says.

hasty      a batch is acknowledged before a pool child has it, and so not tried again
guilty     a batch that dies with its child is given up as a whole
forgetful  what a batch could not apply is acknowledged, and nothing is published
"""

from __future__ import annotations

import os
from typing import Any

from system.tests.weakened import run_given
from system.worker import batch, gathering
from system.worker.batch import Fate

_execute = gathering.Batch.execute_using_pool


def _acknowledge_first(self: Any, pool: Any, **options: Any) -> None:
    """The broker has forgotten all of it, and what happens later settles nothing any more.

    Celery without late acknowledgements does it once a child has the task; by then the child may
    already have died at its point, together with the process that would acknowledge.
    """
    for delivery in self._deliveries:
        delivery.message.ack()
        delivery.message.reject_log_error = _nothing
    _execute(self, pool, **options)


def _nothing(*_: Any, **__: Any) -> None:
    pass


def _forget_all(self: Any, _info: Any) -> None:
    self._gatherer.done()


def _give_up_all(self: Any, _info: Any) -> None:
    for delivery in self._deliveries:
        delivery.message.reject(requeue=False)
    self._gatherer.done()


def _forget(*_: Any) -> Fate:
    return Fate.SETTLED


def weaken() -> None:
    """Switch it off."""
    which = os.environ.get("WEAKENED")
    if which == "hasty":
        gathering.Batch.execute_using_pool = _acknowledge_first  # type: ignore[method-assign]
        gathering.Batch._on_lost = _forget_all  # type: ignore[method-assign, assignment]
    elif which == "guilty":
        gathering.Batch._on_lost = _give_up_all  # type: ignore[method-assign, assignment]
    elif which == "forgetful":
        batch._put_aside = _forget  # type: ignore[assignment]


if __name__ == "__main__":
    weaken()
    run_given()
