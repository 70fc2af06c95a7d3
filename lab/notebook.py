"""What a notebook uses: a running lab with its Prometheus, and the queries that it plots.

Notebooks explain; the code that they use is here, so that their cells stay short and the code is
tested. A notebook uses the lab named by LAB_NAME (`lab up --name …`), else `default` where
that is up and is as the notebook needs it, else it starts a lab of its own and ends it with
`end()`, or when its kernel ends. LAB_SUBSTRATE names the substrate. A notebook about Kubernetes
installs the chart on the cluster that was named, and takes no lab that runs.
"""

from __future__ import annotations

import atexit
import os
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import altair as alt
from rich.table import Table

from lab.checker.cross_check import wait_until_seen
from lab.clients.prometheus.client import FRESH_S, Prometheus
from lab.clients.prometheus.results import Sample, Series
from lab.errors import CannotRun
from lab.experiment.lab import Lab
from lab.experiment.plan import make_plan
from lab.experiment.session import session
from lab.monitoring import metrics
from lab.paths import lab_command
from lab.report import plots
from lab.report.plots import Chart, FaultWindow, GoalLine
from lab.slo import query as judging
from lab.slo import spec
from lab.substrates import registry, release
from lab.substrates.abilities import Shared
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate
from lab.substrates.release import Release
from system.contract.topology import PROCESS_QUEUE

SEED = 7
STEP_S = 0.5
INSTALL_WITHIN = "300s"

WINDOW = "5s"
MEAN = metrics.mean(metrics.LATENCY, window=WINDOW)
P99 = metrics.quantile(0.99, metrics.LATENCY, window=WINDOW)
SUCCESS = "1 - slo:sli_error:ratio_rate5m{slo='success'}"
DEPTH = f"sum by (queue) ({metrics.READY}{{queue=~'matches.*'}})"


@dataclass
class Stage:
    """A running lab, and what a notebook has done to it.

    Attributes:
        lab: the verbs of an experiment; see `lab.experiment.lab.Lab`.
        prometheus: what watches it.
        begun: when the notebook began, seconds since the epoch; plots begin there.
        seen: when Prometheus was waited for last; plots end there.
        faults: what was broken, and when.
        judged: when the objectives were evaluated last, or `begun`.
        release: the chart on a cluster, if the notebook has installed it.
    """

    lab: Lab
    prometheus: Prometheus
    begun: float
    seen: float = 0.0
    faults: list[FaultWindow] = field(default_factory=list)
    judged: float = 0.0
    release: Release | None = None
    _open: ExitStack = field(default_factory=ExitStack)

    @contextmanager
    def fault(self, name: str, **parameters: Any) -> Iterator[None]:
        """Break the system for the block, cure it, and remember when for the plots."""
        with self.shaded(name), self.lab.fault(name, **parameters):
            yield

    @contextmanager
    def shaded(self, name: str) -> Iterator[None]:
        """Remember for the plots when the block was, whatever is done in it."""
        begin = time.time()
        try:
            yield
        finally:
            self.faults.append(FaultWindow(name, begin, time.time()))

    def let_prometheus_see(self) -> None:
        """Wait until everything that is up has been scraped after this moment.

        Plots end here, until this is called again: so those of one experiment have one time axis.

        Raises:
            NotWithin: Prometheus scrapes no longer.
        """
        wait_until_seen(self.prometheus)
        self.seen = time.time()

    def value(self, query: str) -> float:
        """The one value of a query now; see `lab.clients.prometheus.client.Prometheus.value`."""
        return self.prometheus.value(query)

    def table(self, query: str, *labels: str) -> dict[str, float]:
        """Several series now: the value of each, by the values of its `labels`."""
        found = self.prometheus.vector(query)
        return {_name(each, labels): each.value for each in found}

    @property
    def span(self) -> plots.Span:
        """What plots show: from the beginning to `seen`, or to now if a fault came after that."""
        is_newest = all(fault.end <= self.seen for fault in self.faults)
        return self.begun, self.seen if self.seen and is_newest else time.time()

    def lines(self, query: str, *labels: str, name: str = "") -> dict[str, Series]:
        """A query since the notebook began: one line for each series, named by its `labels`."""
        found = self.prometheus.range(query, *self.span, STEP_S)
        return {_name(each, labels) or name or query: each for each in found}

    def judge(self) -> Table:
        """The objectives, evaluated since the last evaluation, or since the notebook began."""
        self.let_prometheus_see()
        now = self.prometheus.value("time()")
        span = judging.window(self.judged, now, FRESH_S, from_zero=True)
        self.judged = now
        return judging.as_table(judging.evaluate_slos(self.prometheus, spec.load(), span))

    def plot_latency(self, goal_ms: float = 500) -> Chart:
        """Mean and p99 of the last five seconds, against the objective for the mean."""
        lines = self.lines(MEAN, name="mean") | self.lines(P99, name="p99")
        return plots.latency(lines, goal_ms, self.faults, self.span)

    def plot_success(self, objective: float = 0.999) -> Chart:
        """The share of messages that took effect, against the objective."""
        lines = self.lines(SUCCESS, name="took effect")
        return plots.success(lines, objective, self.faults, self.span)

    def plot_depth(self) -> Chart:
        """How many messages were ready in each queue that held any, faults shaded."""
        lines = self.lines(DEPTH, "queue")
        held = {
            queue: each
            for queue, each in lines.items()
            if queue == PROCESS_QUEUE or any(value for _, value in each.points)
        }
        return plots.depth(held, self.faults, self.span)

    def plot(self, query: str, title: str, *labels: str, goal: float | None = None) -> Chart:
        """Any query over time, faults shaded; `goal` is drawn across."""
        lines = self.lines(query, *labels, name=title)
        level = None if goal is None else GoalLine(f"{goal:g}", goal)
        return plots.over_time(lines, title, self.span, goal=level, faults=self.faults)

    def end(self) -> None:
        """End a lab of the notebook's own; one that was running before goes on."""
        self._open.close()


def begin(name: str, **plan: Any) -> Stage:
    """Take the lab that runs here, or start one, and wait until Prometheus sees all of it.

    Args:
        name: of the notebook; names the folder of its record.
        plan: fields of `Plan` that its lab must have.

    Raises:
        CannotRun: the lab named by LAB_NAME is not up, or has no Prometheus.
        SubstrateError: it did not start.
    """
    alt.renderers.enable("png", scale_factor=1.5)  # pictures can be read without running anything
    opened = ExitStack()
    try:
        chosen = make_plan(**{"seed": SEED, "matches": 40, "monitoring": True, **plan})
        substrate, folder, why = _place(opened, chosen, plan)
        lab = opened.enter_context(session(name, substrate, chosen, runs=folder))
        asked = opened.enter_context(Prometheus(_watcher(lab.endpoints)))
        wait_until_seen(asked)
        now = time.time()
        stage = Stage(lab, asked, now, judged=now, _open=opened)
    except BaseException:
        opened.close()
        raise
    atexit.register(opened.close)
    print(f"a lab with {lab.plan.workers} workers, seed {lab.plan.seed}{why}")  # noqa: T201
    return stage


def begin_release(name: str) -> Stage:
    """Install the chart by Helm on the cluster that was named, with a Prometheus, and join it.

    Args:
        name: of the notebook; names the folder of its record.

    Raises:
        CannotRun: no cluster was named, or none answers there.
        SubstrateError: it was not installed.
    """
    alt.renderers.enable("png", scale_factor=1.5)  # as above
    opened = ExitStack()
    try:
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lab-notebook-")))
        own = release.opened(f"notebook-{os.getpid()}", folder / "lab", release.WATCHED)
        made = opened.enter_context(own)
        release.must(made.upgrade("--wait", "--timeout", INSTALL_WITHIN))
        plan = make_plan(seed=SEED, matches=2)  # whose site nobody reads here
        lab = opened.enter_context(session(name, made.joined(), plan, runs=folder))
        asked = opened.enter_context(Prometheus(_watcher(lab.endpoints)))
        wait_until_seen(asked)
        now = time.time()
        stage = Stage(lab, asked, now, judged=now, release=made, _open=opened)
    except BaseException:
        opened.close()
        raise
    atexit.register(opened.close)
    print("the chart, installed for this notebook")  # noqa: T201
    return stage


def _place(opened: ExitStack, chosen: Plan, wanted: Iterable[str]) -> tuple[Substrate, Path, str]:
    """Where the notebook's system runs, the folder for its record, and why there.

    Args:
        wanted: the fields of the plan that have to be as chosen.
    """
    kind, named = os.environ.get("LAB_SUBSTRATE", registry.DEFAULT), os.environ.get("LAB_NAME")
    folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="lab-notebook-")))
    why = ", started for this notebook"
    if named or registry.kept("default", kind):
        kept = registry.keeping(kind).attach(named or "default")
        other = _other(kept, chosen, wanted)
        if not other:
            return kept, folder, ""
        if named:
            return kept, folder, f"; it has {other}, and the notebook is meant for another"
        why += f": the one that is up has {other}"
    own = registry.find(kind).opened(f"notebook-{os.getpid()}", folder / "lab")
    return opened.enter_context(own), folder, why


def _other(kept: Substrate, chosen: Plan, wanted: Iterable[str]) -> str:
    """In what a lab that is up is another one than the notebook needs; empty if in nothing."""
    if not isinstance(kept, Shared):
        return ""
    kept.up(chosen)
    try:
        plan = kept.kept_plan()
    finally:
        kept.down()
    known = {each.name for each in fields(Plan)} - {"monitoring"}
    differing = [
        f"{name}={getattr(plan, name)}"
        for name in wanted
        if name in known and getattr(plan, name) != getattr(chosen, name)
    ]
    return ", ".join(differing)


def _watcher(ends: Endpoints) -> str:
    if ends.prometheus_url is None:
        raise CannotRun(f"this lab runs without Prometheus; start one with `{lab_command('up')}`")
    return ends.prometheus_url


def _name(each: Sample | Series, labels: tuple[str, ...]) -> str:
    return " ".join(each.labels.get(label, "") for label in labels)
