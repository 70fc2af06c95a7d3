"""The table of defects: each one planted, and seen by the lab. `lab hunt --sabotage NAME` uses it.

`make sabotage` tries all of them; docs/reference/sabotage.md says what became of each.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.errors import CannotRun
from lab.sabotage.defect import Defect
from lab.sabotage.table import backend, broker, sender, worker

DEFECTS: dict[str, Defect] = {
    **worker.DEFECTS,
    **backend.DEFECTS,
    **sender.DEFECTS,
    **broker.DEFECTS,
}


def huntable() -> dict[str, Defect]:
    """Those that are planted when the roles start, and need nothing else to be weakened."""
    return {
        name: each
        for name, each in DEFECTS.items()
        if each.patch.wrapper and not each.scene.setup.plan.get("wrapper")
    }


def find(name: str, among: Mapping[str, Defect] = DEFECTS) -> Defect:
    """The defect of this name.

    Raises:
        CannotRun: there is none.
    """
    if name not in among:
        raise CannotRun(f"there is no defect {name!r} here; there are: {', '.join(among)}")
    return among[name]
