"""Plays a scene in a lab, with a defect or without one, and says what the audit saw."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lab.checker.measures import LATENCY_MEAN
from lab.experiment.lab import Lab
from lab.faults.residue import Leaves
from lab.sabotage import judging
from lab.sabotage.defect import Defect
from lab.sabotage.judging import Finding
from lab.sabotage.scene import Scene, Setup, placed

_USUAL: Mapping[str, Any] = {"objectives": {LATENCY_MEAN: None}}
"""Where something is broken, messages are late; whether they are is another question."""


def plan(setup: Setup, folder: Path, defect: Defect | None = None) -> dict[str, Any]:
    """What to start, as `lab.experiment.plugin.running` takes it.

    Args:
        folder: for files that a scene leaves for the roles.
        defect: is planted, as far as the plan can.
    """
    given = dict(setup.plan) if defect is None else defect.patch.on(setup.plan)
    return {**_USUAL, **placed(given, folder)}


def twin(lab: Lab, scene: Scene) -> str:
    """Play a scene without a defect; all that is not valid then, in words."""
    scene.act(lab)
    return judging.not_valid(lab.audit())


def tried(lab: Lab, defect: Defect) -> Finding:
    """Play the scene of a defect, in a lab that was started with it."""
    defect.patch.plant(lab)
    # What is lost is only known to be once nothing has moved for long, also on a busy machine.
    lab.residue = lab.residue.after(Leaves.RECONNECTS, 0.0)
    defect.scene.act(lab)
    return judging.judge(lab.audit(), defect)
