"""A worker of the contract's next version: it knows one field more, `referee`.

It reads the field and stores the rest of the match, as a first step of such a change does.
"""

from __future__ import annotations

from system.contract import match, schema
from system.tests.weakened import run_given


class _NextMatch(match.Match):
    referee: str | None = None


if __name__ == "__main__":
    match.Match = _NextMatch  # type: ignore[misc]
    schema.VERSION = "3.0"
    run_given()
