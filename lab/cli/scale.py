"""The command `lab scale`: more or fewer workers for a lab that is up."""

from __future__ import annotations

from typing import Annotated

import typer

from lab.cli.options import LabName, SubstrateName, out
from lab.errors import CannotRun
from lab.experiment.work import JOINING
from lab.substrates import registry
from lab.substrates.abilities import HoldsScale
from lab.substrates.plan import Role

WORKERS_MAX = 16


def scale(
    workers: Annotated[int, typer.Argument(min=0, max=WORKERS_MAX, help="How many.")],
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Let a lab that is up have so many workers, until it is scaled again.

    Those that are too many end in order: they finish what they hold. A load whose profile scales
    the workers itself goes on from there. Exit code: 0 done, 2 not.
    """
    place = registry.keeping(substrate).attach(name)
    if not isinstance(place, HoldsScale):
        raise CannotRun(f"the substrate {substrate!r} cannot change the number of workers for good")
    place.up(JOINING)
    try:
        place.scale_for_good(Role.WORKER, workers)
    finally:
        place.down()
    out.print(f"The lab {name!r} has {workers} worker{'' if workers == 1 else 's'}.")
