"""A system that runs somewhere else, known by its addresses only: it can be used, and judged.

Nothing can be broken, scaled or run there. Others may use it at the same time.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any
from urllib.parse import urlsplit

from lab.errors import CannotRun
from lab.substrates.abilities import Finished, Program, Started
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Log

VARIABLES = {
    "MISSING_TABLE_API_TOKEN": "the bearer token that writing needs",
    "MISSING_TABLE_BROKER_URL": "amqp://user:password@host:port/vhost, of a user who may publish",
    "MISSING_TABLE_OPERATOR_URL": "the same, of the operator's user",
    "MISSING_TABLE_MANAGEMENT_URL": "http://user:password@host:port of RabbitMQ's management API",
}
"""What the environment must say beside the address of the API, and what it means."""


def endpoints(api_url: str, environment: Mapping[str, str]) -> Endpoints:
    """The addresses of a system, with the credentials that the environment gives.

    Raises:
        CannotRun: `api_url` is no address, or a variable is missing.
    """
    if urlsplit(api_url).scheme not in ("http", "https"):
        raise CannotRun(f"the host must be http(s)://host:port of the API, not {api_url!r}")
    missing = [name for name in VARIABLES if not environment.get(name)]
    if missing:
        wanted = "; ".join(f"{name} ({VARIABLES[name]})" for name in missing)
        raise CannotRun(f"to use the system at {api_url}, set: {wanted}")
    token, broker, operator, management = (environment[name] for name in VARIABLES)
    at = urlsplit(management)
    place = f"{at.scheme}://{at.netloc.rpartition('@')[2]}"
    return Endpoints(
        api_url=api_url.rstrip("/"),
        api_token=token,
        broker_urls={"scraper": broker, "operator": operator, "admin": management},
        management_url=place,
        metrics_url="",
        results_url="",
        database_url="",
        site_url="",
    )


class Elsewhere:
    """A substrate that starts nothing and ends nothing."""

    name = "elsewhere"

    def __init__(self, known: Endpoints) -> None:
        self._endpoints = known

    def up(self, plan: Plan) -> Endpoints:
        """Where it answers; it must be up."""
        return self._endpoints

    def down(self) -> None:
        """Leave it as it is."""

    def logs(self, role: Role | None = None) -> list[Log]:
        """Its logs are out of reach."""
        return []

    def kept_plan(self) -> Plan:
        """What runs there is not known; there is at least a worker."""
        return Plan(seed=0, matches=40)

    def struck(self, fault: str, parameters: Mapping[str, Any]) -> AbstractContextManager[None]:
        """Nothing can be broken there; raises CannotRun."""
        raise CannotRun(f"the fault {fault!r} cannot be made: the system runs elsewhere")

    def site_url(self) -> str:
        """There is no league site of the lab."""
        return ""

    def run(
        self,
        program: Program,
        *arguments: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
        within_s: float = 60.0,
    ) -> Finished:
        """No program can be run there; raises CannotRun."""
        raise CannotRun(f"{program} cannot be run: the system runs elsewhere")

    def started(
        self,
        program: Program,
        *arguments: str,
        log: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
    ) -> AbstractContextManager[Started]:
        """As `run`."""
        raise CannotRun(f"{program} cannot be run: the system runs elsewhere")

    def read(self, file: str, offset: int = 0) -> bytes | None:
        """There is no file of this run; so there is no outbox either."""
        return None

    def write(self, file: str, content: bytes) -> None:
        """Nothing can be written there; raises CannotRun."""
        raise CannotRun(f"{file} cannot be written: the system runs elsewhere")
