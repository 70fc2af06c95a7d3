"""The registry of faults: what can be broken on purpose, what that needs, and what it leaves.

A fault is a function in a module of `lab/faults/`: a context manager that strikes when it is
entered and cures when it is left, even if it was only half applied. Its docstring says what it
does.
"""

from __future__ import annotations

import inspect
import math
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from enum import StrEnum
from importlib import import_module
from pkgutil import iter_modules
from typing import Any, ParamSpec, Protocol, TypeVar

from lab.errors import CannotRun
from lab.faults.residue import Leaves, Residue
from lab.history.log import History
from lab.substrates.abilities import IN_WORDS, Shared
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
        survivable: whether all laws hold in spite of it. Hunts draw no other, and where another one
            was struck, the verdict is invalid.
        strikes: the part that it breaks, with names of parameters in braces; see `part`.
        parameters: what can be chosen, with the default of each.
        strike: given the target and the parameters, breaks on entry and cures on exit.
    """

    name: str
    summary: str
    needs: tuple[type, ...]
    leaves: Leaves
    strikes: str
    parameters: Mapping[str, Any]
    strike: Callable[..., AbstractContextManager[None]]
    survivable: bool = True

    @property
    def needs_in_words(self) -> str:
        """What a substrate must be able to do, for people; empty if nothing special is needed."""
        return " and ".join(IN_WORDS[each] for each in self.needs)

    def lacking(self, substrate: Substrate) -> str | None:
        """Why the fault is not possible on this substrate; None if it is."""
        missing = [IN_WORDS[each] for each in self.needs if not isinstance(substrate, each)]
        if not missing:
            return None
        return (
            f"the fault {self.name!r} needs a substrate that can {' and '.join(missing)}, "
            f"and {substrate.name!r} cannot"
        )

    def completed(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """Every parameter with its value: as given, in words or as a value, or its default.

        Raises:
            CannotRun: there is no such parameter, or it cannot have this value.
        """
        if strange := parameters.keys() - self.parameters.keys():
            raise CannotRun(
                f"the fault {self.name!r} has no parameter {', '.join(sorted(strange))}; "
                f"it has: {', '.join(self.parameters) or 'none'}"
            )
        return {
            key: _value(self.name, key, default, parameters.get(key, default))
            for key, default in self.parameters.items()
        }

    def part(self, parameters: Mapping[str, Any]) -> str:
        """What it breaks with these parameters. Two faults must not break one part at a time."""
        return self.strikes.format_map({**self.parameters, **parameters})


_registry: dict[str, Fault] = {}
_adding = threading.Lock()
"""Held while a residue grows: faults of one run may end at the same time."""


def fault(
    name: str,
    *needs: type,
    leaves: Leaves = Leaves.NOTHING,
    strikes: str = "",
    survivable: bool = True,
) -> Callable[[Callable[P, Iterator[None]]], Callable[P, AbstractContextManager[None]]]:
    """Register a generator function `(target, **parameters)` as the fault `name`.

    Everything before its `yield` strikes; the cure belongs into a `finally`. `strikes` is what no
    other fault may break at the same time, as `worker-{index}`; its own name if left out. For the
    rest see `Fault`.
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
            strikes or name,
            {each.name: each.default for each in parameters},
            strike,
            survivable,
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


def given(words: Iterable[str]) -> dict[str, str]:
    """Parameters as a person writes them, each as `name=value`.

    Raises:
        CannotRun: one is not written so, or is there twice.
    """
    found: dict[str, str] = {}
    for word in words:
        name, is_, value = word.partition("=")
        if not (name and is_ and value):
            raise CannotRun(f"a parameter of a fault is written name=value, not {word!r}")
        if name in found:
            raise CannotRun(f"the parameter {name} is there twice: {found[name]} and {value}")
        found[name] = value
    return found


def checked(name: str, substrate: Substrate, parameters: Mapping[str, Any]) -> Fault:
    """The fault of this name, if it is possible here with these parameters.

    Raises:
        CannotRun: no such fault, no such parameter or value, or the substrate lacks an ability.
    """
    found = find(name)
    if why := found.lacking(substrate):
        raise CannotRun(why)
    found.completed(parameters)
    return found


@contextmanager
def struck(name: str, target: Target[Substrate], **parameters: Any) -> Iterator[None]:
    """Break `target` for the block, and cure it; a lab that is kept is broken by its keeper.

    Raises:
        CannotRun: see `checked`.
    """
    found = checked(name, target.substrate, parameters)
    chosen = found.completed(parameters)
    if isinstance(target.substrate, Shared):
        with target.substrate.struck(name, chosen):
            yield
    else:
        with found.strike(target, **chosen):
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
    detail = in_words(found, found.completed(parameters))
    target.history.write("fault", name=name, phase="begin", detail=detail)
    with stopwatch() as seconds:
        try:
            with struck(name, target, **parameters):
                yield
        finally:
            leave(target, found, seconds())
            target.history.write("fault", name=name, phase="end", detail=detail)


def leave(target: Recorded, fault: Fault, lasted_s: float) -> None:
    """Note what a fault may have left waiting."""
    with _adding:
        target.residue = target.residue.after(fault.leaves, lasted_s)


def in_words(fault: Fault, parameters: Mapping[str, Any]) -> str:
    """What was chosen; what the fault does, if there was nothing to choose."""
    return ", ".join(f"{key}={value}" for key, value in parameters.items()) or fault.summary


def _value(fault: str, name: str, default: Any, value: Any) -> Any:
    """A parameter's value, of the kind of its default."""
    kind = type(default)
    result = _converted(kind, value)
    if result is None:
        if issubclass(kind, StrEnum):
            wanted = f"one of: {', '.join(kind)}"
        else:
            wanted = {int: "a whole number from 0", float: "a number from 0"}.get(kind, "text")
        raise CannotRun(f"the fault {fault!r} takes {name} as {wanted}; not {value!r}")
    return result


def _converted(kind: type, value: Any) -> Any:
    """A value as one of a kind; None if it cannot be one."""
    try:
        result = kind(value)
        number = float(result) if isinstance(result, int | float) else 0.0
        right = 0 <= number < math.inf and (kind is not int or float(value) == result)
    except (TypeError, ValueError, OverflowError):
        return None
    return result if right and not isinstance(value, bool) else None
