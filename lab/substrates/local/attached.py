"""A lab that another process keeps, as `lab up` does: used as it is, and left running.

It has every ability of a lab of one's own. What acts on processes and links is done by the keeper,
which also mends whatever is left broken when this process ends (`control`); commands of the system
run here.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from lab.errors import CannotRun, SubstrateError
from lab.substrates.local.control import Client
from lab.substrates.local.instance import UP, Instance
from lab.substrates.local.workspace import Workspace
from lab.substrates.plan import Link, Plan, Role, from_json
from lab.substrates.protocol import Endpoints


class Attached(Workspace):
    """The running lab of an instance."""

    name = "local"

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance, lambda: self.endpoints)
        self._endpoints: Endpoints | None = None
        self._plan: Plan | None = None
        self._client: Client | None = None

    @property
    def endpoints(self) -> Endpoints:
        """Where everything answers.

        Raises:
            SubstrateError: `up` was not called.
        """
        if self._endpoints is None:
            raise SubstrateError("not attached: call up() first")
        return self._endpoints

    def kept_plan(self) -> Plan:
        """What runs there.

        Raises:
            SubstrateError: `up` was not called.
        """
        if self._plan is None:
            raise SubstrateError("not attached: call up() first")
        return self._plan

    def up(self, plan: Plan) -> Endpoints:
        """Attach; the plan is that of the process that started the lab, see `kept_plan`.

        Raises:
            CannotRun: it is not up.
        """
        state = self._instance.read()
        ends = state.addresses() if state else None
        if not (state and ends and state.plan and state.phase == UP and self._instance.is_alive()):
            raise CannotRun(
                f"no lab named {self._instance.name!r} is up here; start it with `lab up`"
            )
        self._client = Client(self._instance.folder)
        self._endpoints, self._plan = ends, from_json(json.dumps(state.plan).encode())
        return ends

    def down(self) -> None:
        """Leave; the process that started the lab ends it."""
        if self._client is not None:
            self._client.close()
        self._client = self._endpoints = None

    @contextmanager
    def struck(self, fault: str, parameters: Mapping[str, Any]) -> Iterator[None]:
        """Let the keeper break the lab for the block, and cure it, even if the caller is killed."""
        number = self._call("strike", fault=fault, parameters=dict(parameters))
        try:
            yield
        finally:
            self._call("cure", number=number)

    def kill(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the process and all its children."""
        self._call("kill", role=role, index=index)

    def kill_child(self, role: Role, index: int = 0) -> None:
        """SIGKILL for one child of the process; the process itself goes on."""
        self._call("kill_child", role=role, index=index)

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Ask the process to end, and wait until it has."""
        self._call("terminate", role=role, index=index, within_s=within_s)

    def start(self, role: Role, index: int = 0) -> None:
        """Start the process again with its data, and wait until it answers."""
        self._call("start", role=role, index=index)

    def pause(self, role: Role, index: int = 0) -> None:
        """Stop the process and all its children where they are."""
        self._call("pause", role=role, index=index)

    def resume(self, role: Role, index: int = 0) -> None:
        """Let them go on."""
        self._call("resume", role=role, index=index)

    def scale(self, role: Role, count: int) -> None:
        """Start or politely end workers until there are `count`."""
        self._call("scale", role=role, count=count)

    def control_broker(self, *arguments: str) -> str:
        """Run `rabbitmqctl`."""
        return str(self._call("control_broker", arguments=arguments))

    def watch(self, job: str, instance: str, address: str) -> None:
        """Let Prometheus scrape something that is not a role of the system."""
        self._call("watch", job=job, instance=instance, address=address)

    def cut(self, link: Link) -> None:
        """Close the connections, and refuse new ones."""
        self._call("cut", link=link)

    def stall(self, link: Link) -> None:
        """Let nothing pass; connections stay open."""
        self._call("stall", link=link)

    def slow(self, link: Link, *, latency_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Delay what passes, and bound its rate."""
        self._call("slow", link=link, latency_s=latency_s, bytes_per_s=bytes_per_s)

    def half_open(self, link: Link) -> None:
        """Close the callers' side, and leave the other side open."""
        self._call("half_open", link=link)

    def heal(self, link: Link) -> None:
        """Let everything pass again."""
        self._call("heal", link=link)

    def _call(self, verb: str, **given: Any) -> Any:
        if self._client is None:
            raise SubstrateError("not attached: call up() first")
        return self._client.call(verb, **given)
