"""What the list of guards is made of."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Guard:
    """One way to fail, and what stands against it.

    Attributes:
        chapter, finding: where the page lists it, and what happens without the guard.
        places: `file:symbol`, or `file:symbol[key]` for an entry of a table that it makes.
        tests: `file::name`; the first one shows it best.
    """

    chapter: str
    finding: str
    places: tuple[str, ...]
    tests: tuple[str, ...]
