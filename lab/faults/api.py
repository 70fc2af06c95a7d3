"""Something between the workers and the API answers in its place: an error, nothing, or a lie."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum
from typing import Protocol

from lab.faults.registry import Target, fault
from lab.faults.residue import Leaves
from lab.substrates.abilities import Answering, Partitionable
from lab.substrates.answering import Answer
from lab.substrates.plan import Link


class Wrong(StrEnum):
    """Answers by which a caller can tell that nothing was stored; see `Answer`."""

    ERROR = Answer.ERROR
    BUSY = Answer.BUSY
    NOTHING = Answer.NOTHING
    MISSING = Answer.MISSING
    PAGE = Answer.PAGE
    EMPTY = Answer.EMPTY
    OTHERS = Answer.OTHERS


class _AnsweredFor(Answering, Partitionable, Protocol):
    """Can answer in the place of the API, and heal that."""


def _answered(on: Target[_AnsweredFor], how: Answer) -> Iterator[None]:
    try:
        on.substrate.answer(Link.WORKER_API, how)
        yield
    finally:
        on.substrate.heal(Link.WORKER_API)


@fault("api-errs", Answering, Partitionable, leaves=Leaves.RETRIES, strikes=Link.WORKER_API)
def api_errs(on: Target[_AnsweredFor], how: Wrong = Wrong.ERROR) -> Iterator[None]:
    """Answer workers in the API's place, never rightly; the API itself answers again at the end."""
    yield from _answered(on, Answer(how))


@fault(
    "api-lies",
    Answering,
    Partitionable,
    leaves=Leaves.RETRIES,
    strikes=Link.WORKER_API,
    survivable=False,
)
def api_lies(on: Target[_AnsweredFor]) -> Iterator[None]:
    """Tell workers that all is stored, and store nothing of it: the verdict has to be invalid."""
    yield from _answered(on, Answer.LIE)
