"""What the notebook on capacity uses; its cells stay short, and the code is tested."""

from __future__ import annotations

from pathlib import Path

import altair as alt

from lab.paths import lab_command
from load.capacity import kept, page
from load.capacity.measure import Measured

EXAMPLE = Path(__file__).with_name("example.json")
"""Figures of one machine with two processors, as `lab capacity` kept them."""


def measured() -> Measured:
    """The latest figures of `lab capacity` in this folder, or those of the example."""
    alt.renderers.enable("png", scale_factor=1.5)  # pictures can be read without running anything
    newest = kept.latest()
    if newest is not None:
        print(f"figures of {newest.parent.name}")  # noqa: T201
        return kept.read(newest)
    print(f"figures of the example; `{lab_command('capacity')}` measures this machine")  # noqa: T201
    return kept.read(EXAMPLE)


class Tables:
    """The page of a capacity; a notebook shows it as a page."""

    def __init__(self, found: Measured, target_per_s: float) -> None:
        self._text = "\n".join(page.lines(found, target_per_s))

    def _repr_markdown_(self) -> str:
        return self._text

    def __repr__(self) -> str:
        """As text, where no notebook is."""
        return self._text


def tables(found: Measured, target_per_s: float = 500.0) -> Tables:
    """Predictions, and what larger feeds need."""
    return Tables(found, target_per_s)
