"""What every experiment is given: see `lab.phases.fixtures`."""

from __future__ import annotations

from lab.phases.fixtures import evidence, lab

__all__ = ["evidence", "lab"]
