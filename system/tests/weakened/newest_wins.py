"""A backend in which the last message to arrive wins, however old its observation is."""

from __future__ import annotations

from system.backend import merge
from system.tests.weakened import run_given

if __name__ == "__main__":
    merge.outranks = lambda candidate, current: True
    run_given()
