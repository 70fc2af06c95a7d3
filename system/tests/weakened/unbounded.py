"""A backend with uvicorn's own HTTP protocol, which bounds neither heads nor times."""

from __future__ import annotations

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from system.backend import connections
from system.tests.weakened import run_given

if __name__ == "__main__":
    connections.bounded = lambda bounds, count: HttpToolsProtocol
    run_given()
