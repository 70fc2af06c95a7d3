"""What every experiment is given: see `lab.experiment.stage`."""

from __future__ import annotations

from lab.experiment.stage import evidence, lab

__all__ = ["evidence", "lab"]
