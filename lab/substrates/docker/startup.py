"""Brings containers up side by side, each as soon as what it needs has answered."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from functools import partial

from lab.errors import NotWithin, SubstrateError
from lab.substrates.docker.container import RUNNING, Container
from lab.wait import eventually

_LOOKS_PER_STATE = 6
"""To ask the engine costs more than to ask the container."""


class _Died(Exception):  # noqa: N818
    """It ended while it started."""


class _GivenUp(Exception):  # noqa: N818
    """Another one did not come up, or the whole start was broken off."""


def bring_up(
    containers: Sequence[Container], up: Callable[[str, float], None] = lambda name, seconds: None
) -> None:
    """Make and start everything; return once every container answers.

    Args:
        containers: in an order in which each comes after what it needs.
        up: called as each answers: its name, seconds since the beginning.

    Raises:
        SubstrateError: one died or did not answer. What has started goes on running.
    """
    begun, broken_off = time.monotonic(), threading.Event()
    futures: dict[str, Future[None]] = {}

    def rise(container: Container, needed: list[Future[None]]) -> None:
        for each in needed:
            each.result()
        if broken_off.is_set():
            raise _GivenUp
        container.make()
        container.run()
        wait_until_up(container, broken_off.is_set)
        up(container.spec.name, time.monotonic() - begun)

    with ThreadPoolExecutor(max(len(containers), 1)) as pool:
        try:
            for each in containers:
                needed = [futures[name] for name in each.spec.needs if name in futures]
                futures[each.spec.name] = pool.submit(rise, each, needed)
            for future in futures.values():
                future.add_done_callback(partial(_note_failure, broken_off))
            wait(futures.values())
        except BaseException:
            broken_off.set()
            raise
    errors = [error for future in futures.values() if (error := future.exception())]
    for error in sorted(errors, key=lambda error: isinstance(error, _GivenUp)):
        raise error


def wait_until_up(container: Container, given_up: Callable[[], bool] = lambda: False) -> None:
    """Return once a container that runs answers.

    Raises:
        SubstrateError: it died or did not answer in time; the text ends with its last output.
    """
    spec = container.spec
    looks, seen = 0, "nothing"

    def look() -> bool:
        nonlocal looks, seen
        if given_up():
            raise _GivenUp
        try:
            if spec.answers():
                return True
            seen = "not yet"
        except Exception as error:  # whatever it is, the deadline decides
            seen = repr(error)
        looks += 1
        if looks % _LOOKS_PER_STATE == 0 and container.state() != RUNNING:
            raise _Died
        return False

    try:
        eventually(f"{spec.name} to answer", look, within_s=spec.within_s, every_s=spec.every_s)
    except (NotWithin, _Died) as error:
        what = (
            f"ended with status {container.exit_code()} while it started"
            if isinstance(error, _Died)
            else f"did not answer within {spec.within_s:g} s; last saw {seen}"
        )
        raise SubstrateError(
            f"{spec.name} {what}; its last output:\n{container.last_words()}"
        ) from error


def _note_failure(broken_off: threading.Event, future: Future[None]) -> None:
    if future.exception() is not None:
        broken_off.set()
