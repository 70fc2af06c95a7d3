"""A lab that another process keeps, as `lab up` does: used as it is, and left running.

It has every ability of a lab of one's own. What acts on processes and links is done by the keeper,
which also mends whatever is left broken when this process ends (`control`); commands of the system
run here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import wraps
from typing import Any, Concatenate, ParamSpec, TypeVar

from lab.errors import SubstrateError
from lab.substrates.abilities import Breach
from lab.substrates.local.control import Client
from lab.substrates.local.instance import Instance
from lab.substrates.local.local import Local
from lab.substrates.local.workspace import Workspace
from lab.substrates.plan import Plan, Role, from_json
from lab.substrates.protocol import Endpoints

P = ParamSpec("P")
R = TypeVar("R")


def _by_keeper(
    method: Callable[Concatenate[Local, P], R],
) -> Callable[Concatenate[Attached, P], R]:
    """The same method, done by the keeper."""

    @wraps(method)
    def ask(self: Attached, /, *args: P.args, **given: P.kwargs) -> R:
        answer: R = self.call_keeper(method.__name__, *args, **given)
        return answer

    return ask


class Attached(Workspace):
    """The running lab of an instance."""

    name = "local"

    def __init__(self, instance: Instance) -> None:
        super().__init__(instance)
        self._plan: Plan | None = None
        self._client: Client | None = None

    def kept_plan(self) -> Plan:
        """What runs there.

        Raises:
            SubstrateError: `up` was not called.
        """
        if self._plan is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._plan

    def up(self, plan: Plan) -> Endpoints:
        """Attach; the plan is that of the process that started the lab, see `kept_plan`.

        Raises:
            CannotRun: it is not up.
        """
        state, endpoints = self._instance.read_up()
        self._client = Client(self._instance.folder)
        self._endpoints, self._plan = endpoints, from_json(json.dumps(state.plan).encode())
        return endpoints

    def down(self) -> None:
        """Leave; the process that started the lab ends it."""
        if self._client is not None:
            self._client.close()
        self._client = self._endpoints = None

    @contextmanager
    def struck(self, fault: str, parameters: Mapping[str, Any]) -> Iterator[None]:
        """Let the keeper break the lab for the block, and cure it, even if the caller is killed."""
        number = self.call_keeper("strike", fault=fault, parameters=dict(parameters))
        try:
            yield
        finally:
            self.call_keeper("cure", number=number)

    def strike(self, fault: str, parameters: Mapping[str, Any], for_s: float | None) -> Breach:
        """Let the keeper break the lab and hold that, also when this process has gone."""
        return Breach(
            **self.call_keeper(
                "strike_by_hand", fault=fault, parameters=dict(parameters), for_s=for_s
            )
        )

    def cure(self, fault: str | None) -> list[Breach]:
        """Cure what is held of one fault, or all that is held; return what that was."""
        return [Breach(**each) for each in self.call_keeper("cure_by_hand", fault=fault)]

    def scale_for_good(self, role: Role, count: int) -> None:
        """Let there be as many, also when this process has gone."""
        self.call_keeper("scale_for_good", role=role, count=count)

    def breaches(self) -> list[Breach]:
        """Every fault that is at work, whoever asked for it."""
        state = self._instance.read()
        return state.breaches if state else []

    kill = _by_keeper(Local.kill)
    terminate = _by_keeper(Local.terminate)
    start = _by_keeper(Local.start)
    pause = _by_keeper(Local.pause)
    resume = _by_keeper(Local.resume)
    scale = _by_keeper(Local.scale)
    kill_child = _by_keeper(Local.kill_child)
    kill_parent = _by_keeper(Local.kill_parent)
    control_broker = _by_keeper(Local.control_broker)
    watch = _by_keeper(Local.watch)
    cut = _by_keeper(Local.cut)
    stall = _by_keeper(Local.stall)
    slow = _by_keeper(Local.slow)
    answer = _by_keeper(Local.answer)
    half_open = _by_keeper(Local.half_open)
    heal = _by_keeper(Local.heal)

    def call_keeper(self, verb: str, *args: Any, **given: Any) -> Any:
        """Let the keeper do something; see `lab.substrates.local.control.Client.call`."""
        if self._client is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._client.call(verb, *args, **given)
