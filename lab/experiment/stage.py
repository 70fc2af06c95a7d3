"""What an experiment of a phase is given: a running system, and a place for what it sees.

`scenarios/conftest.py` hands both to pytest, so the experiments also run by plain `pytest`.
"""

from __future__ import annotations

import itertools
import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.experiment.lab import Lab, session
from lab.experiment.plan import make_plan
from lab.report.formatting import shown
from lab.substrates.local import Local, keeper
from lab.substrates.local.instance import Instance
from lab.substrates.protocol import Substrate

EVIDENCE = "evidence"
"""The name under which evidence is kept among a test's `user_properties`."""

SMALL: dict[str, Any] = {"seed": 7, "matches": 40, "page_delay_ms": 0, "workers": 1}
"""The plan of a module that says nothing else."""

Evidence = Callable[[str, Any], None]
_numbers = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Stage:
    """Where a phase happens.

    Attributes:
        base: the folder of its labs, while they run.
        runs: where the records and the logs of its labs go.
        substrate: makes the substrate of one lab, not up yet.
    """

    base: Path
    runs: Path
    substrate: Callable[[Instance], Substrate] = Local


STAGE = pytest.StashKey[Stage]()


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Give a function that records what was seen: `evidence("queue after sending", 20)`."""

    def record(what: str, value: Any) -> None:
        plain = json.loads(json.dumps(value, default=str))  # it may have to travel, and is kept
        request.node.user_properties.append((EVIDENCE, [what, plain]))
        request.node.add_report_section("call", "evidence", f"{what}: {shown(value)}\n")

    return record


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The running system of one module; the module's `PLAN` says what to start."""
    plan = getattr(request.module, "PLAN", {})
    with staged(request, tmp_path_factory, plan) as running:
        yield running


@contextmanager
def staged(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    plan: Mapping[str, Any],
) -> Iterator[Lab]:
    """A running system where the phase happens, for the block: for a module's own fixture `lab`.

    Args:
        plan: fields of `Plan`, over those of `SMALL`.
    """
    stage = request.config.stash.get(STAGE, None)
    if stage is None:
        folder = tmp_path_factory.mktemp("phase")
        stage = Stage(folder / "lab", folder / "runs")
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    instance = Instance.named(f"phase-{os.getpid()}-{next(_numbers)}", stage.base)
    chosen = make_plan(**{**SMALL, **plan})
    with (
        keeper.in_process(instance),
        session(name, stage.substrate(instance), chosen, runs=stage.runs) as running,
    ):
        yield running
