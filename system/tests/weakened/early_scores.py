"""A backend that believes every score, also one that is shown before the match is played."""

from __future__ import annotations

from system.contract import observation
from system.tests.weakened import run_given

if __name__ == "__main__":
    observation._result = lambda said, seen_at: {}
    run_given()
