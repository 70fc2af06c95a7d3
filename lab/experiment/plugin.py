"""Fixtures for pytest: a lab of a test's own, and one that several tests share.

Loaded as a plugin (`-p lab.experiment.plugin`), so that tests of any part can use a running system
without importing the laboratory.
"""

from __future__ import annotations

import itertools
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.experiment.lab import Lab, session
from lab.experiment.plan import make_plan
from lab.substrates.local import Local, keeper
from lab.substrates.local.instance import Instance

SMALL: dict[str, Any] = {"seed": 7, "matches": 40, "page_delay_ms": 0, "workers": 1}
"""The plan of a test that does not ask for another."""

logging.getLogger("pika").setLevel(logging.CRITICAL)  # faults are what tests are about
_numbers = itertools.count(1)
OpenLab = Callable[..., Lab]


@pytest.fixture
def open_lab(tmp_path: Path) -> Iterator[OpenLab]:
    """Give a function that starts a lab with the given plan; the test's end ends it."""
    with ExitStack() as labs:
        yield lambda **plan: labs.enter_context(running(tmp_path, plan))


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A small lab for all tests of one process that leave it as it was."""
    with running(tmp_path_factory.mktemp("shared"), {}) as lab:
        yield lab


@contextmanager
def running(folder: Path, plan: dict[str, Any]) -> Iterator[Lab]:
    """A lab with everything that it leaves behind in `folder`, for the block.

    Args:
        plan: fields of `Plan` over those of `SMALL`, and arguments of `session`.
    """
    name = f"test-{os.getpid()}-{next(_numbers)}"
    instance = Instance.named(name, folder / "lab")
    plan = {**SMALL, **plan}
    wrapper = plan.pop("scraper_wrapper", None)
    objectives = plan.pop("objectives", None)
    with (
        keeper.in_process(instance),
        session(
            name,
            Local(instance),
            make_plan(**plan),
            runs=folder / "runs",
            scraper_wrapper=wrapper,
            objectives=objectives,
        ) as lab,
    ):
        yield lab
