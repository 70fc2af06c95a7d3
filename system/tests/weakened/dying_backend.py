"""A backend that dies before or after it stores what one request brings; see `sudden`.

store        the transaction of a request
receipts     the receipts of a request are written, the last of its transaction
"""

from __future__ import annotations

from system.backend import store
from system.tests.weakened import run_given, sudden


def arm() -> None:
    """Let it die there."""
    sudden.around(store, "submit", lambda *_, **__: "store")
    sudden.around(store, "_write_receipts", lambda *_: "receipts")


if __name__ == "__main__":
    arm()
    run_given()
