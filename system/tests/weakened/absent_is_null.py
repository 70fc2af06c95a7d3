"""A backend to which silence is a statement: what a sender leaves out is erased."""

from __future__ import annotations

from system.backend import merge
from system.contract import observation
from system.tests.weakened import run_given

if __name__ == "__main__":
    observation._stated = lambda said, own_time: frozenset(merge.FIELDS)
    run_given()
