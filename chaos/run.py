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
from lab.paths import PROJECT
from lab.substrates import registry
from lab.substrates.plan import Link
from lab.substrates.provider import Keeps, Say

EXPERIMENTS = Path(__file__).with_name("experiments")
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


def names() -> list[str]:
    """Every experiment."""
    return sorted(path.stem for path in EXPERIMENTS.glob("*.yaml"))


def brokers(name: str) -> int:
    """How many nodes of the broker an experiment needs, as its control is told."""
    content = yaml.safe_load((EXPERIMENTS / f"{name}.yaml").read_text("utf-8"))
    (control,) = content["controls"]
    return int(control["provider"]["arguments"].get("brokers", 1))


def chosen(only: Iterable[str]) -> list[str]:
    """These experiments; all of them if none is named.

    Raises:
        CannotRun: there is none of such a name.
    """
    wanted, known = list(only), names()
    if strange := [each for each in wanted if each not in known]:
        raise CannotRun(
            f"there is no experiment {', '.join(strange)}; there are: {', '.join(known)}"
        )
    return wanted or known


def run_all(wanted: Sequence[str], folder: Path, substrate: str, say: Say) -> list[Outcome]:
    """Run experiments one after the other in one lab.

    One that is not valid leaves the next a new lab; and so does one with another number of brokers.

    Args:
        folder: where journals and the toolkit's logs go.

    Raises:
        LabError: a lab did not start.
    """
    provider, outcomes = registry.keeping(substrate), []
    lab, nodes = "", 0
    try:
        for name in wanted:
            if lab and nodes != brokers(name):
                lab = _stopped(provider, lab)
            if not lab:
                nodes = brokers(name)
                lab = _started(provider, nodes, say)
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
                *("run", "--journal-path", str(journal), str(EXPERIMENTS / f"{name}.yaml")),
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


def _started(provider: Keeps, nodes: int, say: Say) -> str:
    name = f"chaos-{secrets.token_hex(4)}"
    plan = make_plan(seed=7, matches=40, brokers=nodes, monitoring=True, relayed=frozenset(Link))
    provider.start(name, plan, say)
    return name


def _stopped(provider: Keeps, lab: str) -> str:
    provider.stop(lab)
    return ""
