"""Runs experiments on a lab of their own, and writes a page: `python -m chaos`, or `make chaos`."""

from __future__ import annotations

import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from chaos.control import KEY
from chaos.running import LAB_NAME, LAB_SUBSTRATE
from lab.checker.verdict import Verdict
from lab.errors import CannotRun
from lab.experiment.plan import make_plan
from lab.faults import registry as fault
from lab.paths import PROJECT
from lab.substrates import registry
from lab.substrates.abilities import IN_WORDS, ClustersBroker
from lab.substrates.on_cluster import OnACluster
from lab.substrates.plan import Link
from lab.substrates.provider import Keeps, Say

EXPERIMENTS = Path(__file__).with_name("experiments")
ON_A_CLUSTER = Path(__file__).with_name("kubernetes")
"""Of experiments that break a lab by the cluster's own tools."""
_IN_WORDS = {**IN_WORDS, OnACluster: "be broken by a cluster's own tools"}
WITHIN_S = 900.0
"""For one experiment, its audit included; then it is interrupted, and mended.

It takes half a minute of an idle machine; of one with far too much to do, 300 s were not enough.
"""
END_WITHIN_S = 120.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one experiment came to.

    Attributes:
        name: of its file.
        code: of `chaos run`.
        journal: what the Chaos Toolkit wrote; empty if it did not.
    """

    name: str
    code: int
    seconds: float
    journal: dict[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Valid only if the toolkit and the lab both say so."""
        said = self.journal.get(KEY, {}).get("verdict", Verdict.UNKNOWN)
        if self.code == 0 and said == Verdict.VALID:
            return Verdict.VALID
        broken = said == Verdict.INVALID or self.journal.get("deviated")
        return Verdict.INVALID if broken else Verdict.UNKNOWN


@dataclass(frozen=True, slots=True)
class Needs:
    """What an experiment needs of its lab.

    Attributes:
        brokers: how many nodes its broker has to have.
        relayed: whether its links can be broken by relays. Where the cluster's own tools break it,
            connections go the way that the chart gives them.
        abilities: of the substrate, those that its faults need among them.
    """

    brokers: int
    relayed: bool
    abilities: tuple[type, ...]


def names(substrate: str | None = None) -> list[str]:
    """Every experiment; or those that can be done on a substrate, the cluster's own first."""
    found = [*names_in(ON_A_CLUSTER), *names_in(EXPERIMENTS)]
    return found if substrate is None else [each for each in found if not lacks(each, substrate)]


def names_in(folder: Path) -> list[str]:
    """The experiments of one folder."""
    return sorted(each.stem for each in folder.glob("*.yaml"))


def path(name: str) -> Path:
    """The file of an experiment."""
    here = EXPERIMENTS / f"{name}.yaml"
    return here if here.exists() else ON_A_CLUSTER / here.name


def needs(name: str) -> Needs:
    """What an experiment needs of its lab, as its control is told and its faults say."""
    content = yaml.safe_load(path(name).read_text("utf-8"))
    (control,) = content["controls"]
    given = control["provider"]["arguments"]
    struck = [
        fault.find(each["provider"]["arguments"]["fault"])
        for each in content["method"]
        if each["provider"]["func"] == "strike"
    ]
    brokers, on_a_cluster = int(given.get("brokers", 1)), bool(given.get("cluster", False))
    wanted: list[type] = [ability for each in struck for ability in each.needs]
    wanted += [ClustersBroker] if brokers > 1 else []
    wanted += [OnACluster] if on_a_cluster else []
    return Needs(brokers, relayed=not on_a_cluster, abilities=tuple(wanted))


def lacks(name: str, substrate: str) -> str:
    """What a substrate cannot do that an experiment needs, in words; empty if nothing."""
    kind = registry.find(substrate).substrate
    wanted = dict.fromkeys(needs(name).abilities)
    return ", ".join(_IN_WORDS[each] for each in wanted if not issubclass(kind, each))


def chosen(only: Iterable[str], substrate: str = registry.DEFAULT) -> list[str]:
    """These experiments; all that a substrate can do if none is named.

    Raises:
        CannotRun: there is none of such a name, or it cannot be done there.
    """
    wanted, known = list(only), names()
    if strange := [each for each in wanted if each not in known]:
        raise CannotRun(
            f"there is no experiment {', '.join(strange)}; there are: {', '.join(known)}"
        )
    missing = [f"{each} ({why})" for each in wanted if (why := lacks(each, substrate))]
    if missing:
        raise CannotRun(f"the substrate {substrate!r} cannot do this: {', '.join(missing)}")
    return wanted or names(substrate)


def run_all(wanted: Sequence[str], folder: Path, substrate: str, say: Say) -> list[Outcome]:
    """Run experiments one after the other in one lab.

    One that is not valid leaves the next a new lab; and so does one that needs another kind of lab.

    Args:
        folder: where journals and the toolkit's logs go.

    Raises:
        LabError: a lab did not start.
    """
    provider, outcomes = registry.keeping(substrate), []
    lab, there = "", (0, False)
    try:
        for name in wanted:
            asked = needs(name)
            if lab and there != (asked.brokers, asked.relayed):
                lab = _stopped(provider, lab)
            if not lab:
                there = (asked.brokers, asked.relayed)
                lab = _started(provider, asked, say)
            say(f"{name} …")
            outcome = run_one(name, folder, {LAB_NAME: lab, LAB_SUBSTRATE: substrate})
            outcomes.append(outcome)
            say(f"{outcome.verdict.sign} {name}: {outcome.verdict} after {outcome.seconds:.0f} s")
            if outcome.verdict is not Verdict.VALID:
                lab = _stopped(provider, lab)
    finally:
        if lab:
            _stopped(provider, lab)
    return outcomes


def run_one(name: str, folder: Path, environment: dict[str, str]) -> Outcome:
    """Run one experiment as a person does, `chaos run`, on a lab that is up."""
    journal, log = folder / f"{name}.json", folder / f"{name}.log"
    begun = time.monotonic()
    with (
        log.open("wb") as said,
        subprocess.Popen(
            [
                *(sys.executable, "-m", "chaostoolkit", "--no-version-check"),
                *("--log-file", str(folder / f"{name}.debug.log")),
                *("run", "--journal-path", str(journal), str(path(name))),
            ],
            stdout=said,
            stderr=subprocess.STDOUT,
            env={**os.environ, **environment, "PYTHONPATH": str(PROJECT)},
        ) as process,
    ):
        code = _ended(process)
    return Outcome(name, code, time.monotonic() - begun, _read(journal))


def _ended(process: subprocess.Popen[bytes]) -> int:
    """Its exit code; one that hangs is interrupted, so that it mends, and at last killed."""
    try:
        return process.wait(WITHIN_S)
    except BaseException as error:
        process.send_signal(signal.SIGUSR1)  # SIGTERM would fail one action only
        try:
            code = process.wait(END_WITHIN_S)
        except subprocess.TimeoutExpired:
            process.kill()
            code = process.wait()
        if isinstance(error, subprocess.TimeoutExpired):
            return code or 1
        raise


def _read(journal: Path) -> dict[str, Any]:
    try:
        content = json.loads(journal.read_text("utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _started(provider: Keeps, asked: Needs, say: Say) -> str:
    name = f"chaos-{secrets.token_hex(4)}"
    relayed = frozenset(Link) if asked.relayed else frozenset[Link]()
    plan = make_plan(seed=7, matches=40, brokers=asked.brokers, monitoring=True, relayed=relayed)
    provider.start(name, plan, say)
    return name


def _stopped(provider: Keeps, lab: str) -> str:
    provider.stop(lab)
    return ""
