"""The fixtures of pytest: labs of a test's own, of a module, of a process; and evidence.

Loaded as a plugin (`-p lab.experiment.plugin`), so that tests of any part can use a running system
without importing the laboratory. `--substrate` says where it runs.
"""

from __future__ import annotations

import itertools
import json
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lab.experiment.lab import Lab
from lab.experiment.plan import make_plan
from lab.experiment.session import session
from lab.report.formatting import format_value
from lab.substrates import registry, release
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate
from lab.substrates.provider import CONTEXT, Pools, Provider, RunsPython, lacking
from lab.substrates.release import Release

EVIDENCE = "evidence"
"""The name under which evidence is kept among a test's `user_properties`."""

SMALL: Mapping[str, Any] = {"seed": 7, "matches": 40, "page_delay_ms": 0, "workers": 1}
"""The plan of a test or a module that does not ask for another."""
_SESSION = ("scraper_wrapper", "objectives")

logging.getLogger("pika").setLevel(logging.CRITICAL)  # faults are what tests are about
_numbers = itertools.count(1)
Evidence = Callable[[str, Any], None]
OpenLab = Callable[..., Lab]
OpenRelease = Callable[..., Release]
Recorded = Callable[..., AbstractContextManager[Lab]]
RunPython = Callable[..., subprocess.CompletedProcess[str]]


@dataclass(frozen=True, slots=True)
class Stage:
    """Where experiments happen.

    Attributes:
        base: the folder of their labs, while they run.
        runs: where the records and the logs of their labs go.
        substrate: the name of the substrate.
        prefix: of the labs' names.
    """

    base: Path
    runs: Path
    substrate: str = registry.DEFAULT
    prefix: str = "test"

    @classmethod
    def below(cls, folder: Path, substrate: str = registry.DEFAULT) -> Stage:
        """Everything below one folder."""
        return cls(folder / "lab", folder / "runs", substrate)


class Labs:
    """A lab that serves one test after the other for as long as its audits are valid."""

    def __init__(self, opened: Callable[[], AbstractContextManager[Lab]]) -> None:
        """Prepare; starts nothing.

        Args:
            opened: starts a lab, which ends with the block.
        """
        self._opened = opened
        self._stack = ExitStack()
        self._lab: Lab | None = None

    @contextmanager
    def lent(self) -> Iterator[Lab]:
        """The lab, for a block. If that fails, the next one gets a new lab.

        What went wrong in a lab stays in its history, so one failure would become many.
        """
        if self._lab is None:
            self._lab = self._stack.enter_context(self._opened())
        try:
            yield self._lab
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the lab."""
        self._stack.close()
        self._lab = None


LACKING = pytest.StashKey[str]()
"""Of a test that was not run: which abilities the substrate lacks, or what else, in words."""
NO_CLUSTER = (
    "it needs a cluster, and none was named: CONTEXT=NAME after `make`, --context NAME after `lab`,"
    f" or {CONTEXT}; NAME is one of `kubectl config get-contexts`"
)
STAGE = pytest.StashKey[Stage]()
"""Set by `lab phase`; a plain run of pytest keeps everything in its temporary folders."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let the command line say where the system runs."""
    parser.addoption(
        "--substrate", default=registry.DEFAULT, help="where labs run (default: %(default)s)"
    )


def needs(*abilities: Any) -> pytest.MarkDecorator:
    """Mark a test that needs these abilities of the substrate; it is skipped where one is missing.

    They are protocols, which the type checker does not take for types here.
    """
    return pytest.mark.needs.with_args(*abilities)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip what needs an ability that the substrate lacks (see `needs`), or a cluster."""
    if item.get_closest_marker("kubernetes") and not os.environ.get(CONTEXT):
        item.stash[LACKING] = NO_CLUSTER
        pytest.skip(NO_CLUSTER)
    needed = [each for mark in item.iter_markers("needs") for each in mark.args]
    if needed:
        kind = registry.find(_stage_of(item.config, Path()).substrate)
        if missing := lacking(kind.substrate, needed):
            item.stash[LACKING] = f"the substrate {kind.name!r} is not {', '.join(missing)}"
            pytest.skip(item.stash[LACKING])


def pytest_configure() -> None:
    """Let what tests start hear signals, also under nohup and as a background job of a shell.

    A signal that is ignored stays ignored in every program that is started from here; one that is
    handled, even by nothing, does not.
    """
    for number in (signal.SIGINT, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda *_: None)


@pytest.fixture(scope="session")
def substrates(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Provider]:
    """Opens the labs of this process."""
    provider = registry.find(_stage(request, Path()).substrate)
    if isinstance(provider, Pools):
        with provider.pooled(tmp_path_factory.mktemp("pool")) as pooled:
            yield pooled
    else:
        yield provider


@pytest.fixture
def open_lab(
    request: pytest.FixtureRequest, substrates: Provider, tmp_path: Path
) -> Iterator[OpenLab]:
    """Give a function that starts a lab with the given plan; the test's end ends it."""
    stage = _stage(request, tmp_path)
    with ExitStack() as labs:
        yield lambda **plan: labs.enter_context(running(stage, plan, provider=substrates))


@pytest.fixture(scope="session")
def shared_lab(
    request: pytest.FixtureRequest, substrates: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """A small lab for all tests of one process that leave it as it was."""
    stage = _stage(request, tmp_path_factory.mktemp("shared"))
    with running(stage, {}, provider=substrates) as lab:
        yield lab


@pytest.fixture(scope="module")
def lab(
    request: pytest.FixtureRequest, substrates: Provider, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lab]:
    """The running system of one module; the module's `PLAN` says what to start."""
    plan = getattr(request.module, "PLAN", {})
    with staged(request, tmp_path_factory, plan) as made:
        yield made


@pytest.fixture(scope="module")
def labs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Labs]:
    """For tests of one module that break and mend a lab: see `Labs`; `PLAN` as for `lab`."""
    plan = getattr(request.module, "PLAN", {})
    with closing(Labs(lambda: staged(request, tmp_path_factory, plan))) as those:
        yield those


@pytest.fixture(scope="module")
def open_release(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[OpenRelease]:
    """Give a function that makes a namespace for a release of the chart on the named cluster.

    Nothing is installed in it yet, and it goes with the module. It takes the name of the release,
    and the arguments of `lab.substrates.release.opened`.
    """
    stage = _stage(request, tmp_path_factory.mktemp("release"))
    with ExitStack() as opened:

        def make(name: str, **extra: Any) -> Release:
            lab_name = f"{stage.prefix}-{os.getpid()}-{name}"
            return opened.enter_context(release.opened(lab_name, stage.base, **extra))

        yield make


@pytest.fixture(scope="module")
def recorded(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Recorded:
    """Give a function that joins a system for a block, and keeps a record: see `session`.

    It takes the name of the record, where the system is, and more arguments of `session`.
    """
    stage = _stage(request, tmp_path_factory.mktemp("records"))

    def join(name: str, place: Substrate, **extra: Any) -> AbstractContextManager[Lab]:
        unknown = Plan(seed=SMALL["seed"], matches=2)  # whose site nobody reads here
        return session(name, place, unknown, runs=stage.runs, **extra)

    return join


@pytest.fixture(scope="session")
def run_python(substrates: Provider) -> RunPython:
    """Give a function that runs `python -m` with its arguments to its end, and soon.

    It takes the environment as `env`, all of it, and may be given the folder, `cwd`, and the
    longest time, `within_s`.
    """

    def run(
        *arguments: str, env: Mapping[str, str], cwd: Path | None = None, within_s: float = 180.0
    ) -> subprocess.CompletedProcess[str]:
        cwd, argv = cwd or Path.cwd(), [sys.executable, "-m", *arguments]
        if isinstance(substrates, RunsPython):
            done = substrates.run_python(*arguments, env=env, cwd=cwd, within_s=within_s)
            return subprocess.CompletedProcess(argv, done.code, done.stdout, done.stderr)
        return subprocess.run(
            argv, env=env, cwd=cwd, timeout=within_s, capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def evidence(request: pytest.FixtureRequest) -> Evidence:
    """Give a function that records what was seen: `evidence("queue after sending", 20)`."""

    def record(what: str, value: Any) -> None:
        plain = json.loads(json.dumps(value, default=str))  # it may have to travel, and is kept
        request.node.user_properties.append((EVIDENCE, [what, plain]))
        request.node.add_report_section("call", "evidence", f"{what}: {format_value(value)}\n")

    return record


@contextmanager
def staged(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    plan: Mapping[str, Any],
) -> Iterator[Lab]:
    """A running system for the block: for a module's own fixture `lab`.

    Args:
        plan: as in `running`.
    """
    name = request.module.__name__.rpartition(".")[2].removeprefix("test_")
    provider: Provider = request.getfixturevalue("substrates")
    stage = _stage(request, tmp_path_factory.mktemp(name))
    with running(stage, plan, name=name, provider=provider) as lab:
        yield lab


@contextmanager
def running(
    stage: Stage,
    plan: Mapping[str, Any],
    *,
    name: str | None = None,
    provider: Provider | None = None,
) -> Iterator[Lab]:
    """A running system for the block, with its record below `stage.runs`.

    Args:
        plan: arguments of `make_plan` over those of `SMALL`, and of `session`.
        name: of the record.
        provider: opens it; a fresh one of the stage's substrate, where left out.
    """
    given = {**SMALL, **plan}
    extra = {key: given.pop(key) for key in _SESSION if key in given}
    lab_name = f"{stage.prefix}-{os.getpid()}-{next(_numbers)}"
    with (
        (provider or registry.find(stage.substrate)).opened(lab_name, stage.base) as place,
        session(name or lab_name, place, make_plan(**given), runs=stage.runs, **extra) as lab,
    ):
        yield lab


def _stage(request: pytest.FixtureRequest, folder: Path) -> Stage:
    return _stage_of(request.config, folder)


def _stage_of(config: pytest.Config, folder: Path) -> Stage:
    """Where a test's labs are: where `lab phase` said, or else below a temporary folder."""
    return config.stash.get(STAGE, None) or Stage.below(folder, config.getoption("--substrate"))
