"""A backend that takes every number for the league's, also one that a sender made up."""

from __future__ import annotations

from system.contract import names
from system.tests.weakened import run_given

if __name__ == "__main__":
    names.number = lambda text: text  # before anything that uses it is loaded
    run_given()
