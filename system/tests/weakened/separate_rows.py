"""A backend to which every key is a match of its own: with its number and without it, two."""

from __future__ import annotations

from system.backend import which
from system.tests.weakened import run_given

if __name__ == "__main__":
    which.choose = lambda rows, row: (None, [])
    run_given()
