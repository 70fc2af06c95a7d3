"""The registry of faults: what can be broken on purpose, what that needs, and what it leaves.

A fault is a function in a module of `lab/faults/`: a context manager that strikes when it is
entered and cures when it is left, even if it was only half applied. Its docstring says what it
does.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ParamSpec, Protocol, TypeVar

from lab.errors import CannotRun
from lab.faults.residue import Leaves, Residue
from lab.history.log import History
from lab.substrates.abilities import Shared
from lab.substrates.protocol import Endpoints, Substrate
from lab.substrates.provider import Strike
from lab.wait import stopwatch

P = ParamSpec("P")
S = TypeVar("S", covariant=True)


class Target(Protocol[S]):
    """What a fault strikes: a running lab on a substrate with the abilities that it needs."""

    @property
    def substrate(self) -> S:
        """Where the system runs; the registry has made sure of its abilities."""
        ...

    @property
    def endpoints(self) -> Endpoints:
        """Where everything answers."""
        ...


class Recorded(Target[Substrate], Protocol):
    """A lab whose faults go on record."""

    history: History
    residue: Residue


@dataclass(frozen=True, slots=True)
class Fault:
    """One way to break the system.

    Attributes:
        summary: what it does, in one line.
        needs: abilities that the substrate must have.
        leaves: what it may leave waiting.
        parameters: what can be chosen, with the default of each.
        strike: given the target and the parameters, breaks on entry and cures on exit.
    """

    name: str
    summary: str
    needs: tuple[type, ...]
    leaves: Leaves
    parameters: Mapping[str, Any]
    strike: Callable[..., AbstractContextManager[None]]

    def lacking(self, substrate: Substrate) -> str | None:
        """Why the fault is not possible on this substrate; None if it is."""
        missing = [each.__name__ for each in self.needs if not isinstance(substrate, each)]
        if not missing:
            return None
        return (
            f"the fault {self.name!r} needs a substrate that is {' and '.join(missing)}, "
            f"and {type(substrate).__name__} is not"
        )


_registry: dict[str, Fault] = {}


def fault(
    name: str, *needs: type, leaves: Leaves = Leaves.NOTHING
) -> Callable[[Callable[P, Iterator[None]]], Callable[P, AbstractContextManager[None]]]:
    """Register a generator function `(target, **parameters)` as the fault `name`.

    Everything before its `yield` strikes; the cure belongs into a `finally`.
    """

    def register(
        function: Callable[P, Iterator[None]],
    ) -> Callable[P, AbstractContextManager[None]]:
        strike = contextmanager(function)
        parameters = list(inspect.signature(function).parameters.values())[1:]
        _registry[name] = Fault(
            name,
            (inspect.getdoc(function) or "").partition("\n")[0],
            needs,
            leaves,
            {each.name: each.default for each in parameters},
            strike,
        )
        return strike

    return register


def known() -> dict[str, Fault]:
    """Every fault, by name, sorted."""
    package = import_module("lab.faults")
    for module in iter_modules(package.__path__, "lab.faults."):
        import_module(module.name)
    return dict(sorted(_registry.items()))


def find(name: str) -> Fault:
    """The fault of this name; raises CannotRun if there is none, with those that there are."""
    faults = known()
    if name not in faults:
        raise CannotRun(f"there is no fault {name!r}; there are: {', '.join(faults)}")
    return faults[name]


def checked(name: str, substrate: Substrate, parameters: Mapping[str, Any]) -> Fault:
    """The fault of this name, if it is possible here with these parameters.

    Raises:
        CannotRun: no such fault, no such parameter, or the substrate lacks an ability.
    """
    found = find(name)
    if why := found.lacking(substrate):
        raise CannotRun(why)
    if strange := parameters.keys() - found.parameters.keys():
        raise CannotRun(
            f"the fault {name!r} has no parameter {', '.join(sorted(strange))}; "
            f"it has: {', '.join(found.parameters) or 'none'}"
        )
    return found


@contextmanager
def struck(name: str, target: Target[Substrate], **parameters: Any) -> Iterator[None]:
    """Break `target` for the block, and cure it; a lab that is kept is broken by its keeper.

    Raises:
        CannotRun: see `checked`.
    """
    found = checked(name, target.substrate, parameters)
    if isinstance(target.substrate, Shared):
        with target.substrate.struck(name, parameters):
            yield
    else:
        with found.strike(target, **parameters):
            yield


@dataclass(frozen=True, slots=True)
class _Kept:
    substrate: Substrate
    endpoints: Endpoints


def striker(substrate: Substrate, endpoints: Endpoints) -> Strike:
    """What breaks a lab that is kept, on behalf of others, by a fault's name; they record it."""
    return lambda fault, parameters: struck(fault, _Kept(substrate, endpoints), **parameters)


@contextmanager
def applied(name: str, target: Recorded, **parameters: Any) -> Iterator[None]:
    """Break `target` as `struck` does, record from when to when, and note what that leaves."""
    found = checked(name, target.substrate, parameters)
    given = {**found.parameters, **parameters}
    detail = ", ".join(f"{key}={value}" for key, value in given.items()) or found.summary
    target.history.write("fault", name=name, phase="begin", detail=detail)
    with stopwatch() as seconds:
        try:
            with struck(name, target, **parameters):
                yield
        finally:
            target.residue = target.residue.after(found.leaves, seconds())
            target.history.write("fault", name=name, phase="end", detail=detail)
