"""What a lab that another process keeps can be asked to do, wherever it runs.

What breaks it is done by its keeper, which also mends whatever is left broken when this process
ends (`control`).
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
from lab.substrates.local.instance import Instance, State
from lab.substrates.plan import Plan, Role, from_json
from lab.substrates.protocol import Endpoints

P = ParamSpec("P")
R = TypeVar("R")
L = TypeVar("L")


def by_keeper(
    method: Callable[Concatenate[L, P], R],
) -> Callable[Concatenate[ByKeeper, P], R]:
    """The same method, done by the keeper."""

    @wraps(method)
    def ask(self: ByKeeper, /, *args: P.args, **given: P.kwargs) -> R:
        answer: R = self.call_keeper(method.__name__, *args, **given)
        return answer

    return ask


class ByKeeper:
    """Makes a substrate `Shared`; it `HoldsFaults` and `HoldsScale`."""

    def __init__(self, instance: Instance) -> None:
        """Prepare; joins nothing yet."""
        self._instance = instance
        self._plan: Plan | None = None
        self._keeper: Client | None = None

    def join(self) -> tuple[State, Endpoints]:
        """Join it; the plan is that of the process that started the lab, see `kept_plan`.

        Raises:
            CannotRun: it is not up.
        """
        state, endpoints = self._instance.read_up()
        self._keeper = Client(self._instance.folder)
        self._plan = from_json(json.dumps(state.plan).encode())
        return state, endpoints

    def leave(self) -> None:
        """Leave; the process that started the lab ends it."""
        if self._keeper is not None:
            self._keeper.close()
        self._keeper = None

    def kept_plan(self) -> Plan:
        """What runs there.

        Raises:
            SubstrateError: `up` was not called.
        """
        if self._plan is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._plan

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

    def call_keeper(self, verb: str, *args: Any, **given: Any) -> Any:
        """Let the keeper do something; see `lab.substrates.local.control.Client.call`."""
        if self._keeper is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._keeper.call(verb, *args, **given)
