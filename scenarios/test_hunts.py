"""Schedules of faults that overlap: those of the corpus do no harm, and a planted defect is found.

One lab goes through the corpus, as in `test_faults`. The hunt has labs of its own.
"""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.experiment.plugin import Evidence, Labs
from lab.faults.schedule import write
from lab.hunts import corpus
from lab.hunts import hunt as hunting
from lab.hunts import round as rounds
from lab.hunts.corpus import Entry
from lab.hunts.hunt import Hunt
from lab.hunts.round import Sabotage
from lab.paths import PROJECT
from lab.sabotage import defects
from lab.substrates.provider import Provider
from lab.wait import stopwatch

pytestmark = [pytest.mark.chaos, pytest.mark.services, pytest.mark.slow]

PLAN = {**rounds.PLAN, "objectives": {LATENCY_MEAN: None}}
MINUTES, SEED = 10.0, 259
"""Its first schedule shows the defect, so that the test need not wait for another one."""
PER_S = 20.0
"""So few that a worker has next to none in hand: only two faults together show it surely."""
TRIES = 8
"""Of shrinking: enough for few faults; making them shorter would take as long again."""
TIMES = 3
REPLAY_WITHIN_S = 300.0


@pytest.mark.timeout(600)
@pytest.mark.parametrize("entry", corpus.entries(), ids=lambda entry: write(entry.schedule))
def test_every_message_takes_effect_once_in_spite_of(entry: Entry, labs: Labs) -> None:
    """Load, all faults of a schedule, heal, settle, audit."""
    with labs.lent() as lab:
        rounds.play(lab, entry.schedule)
        audit = lab.audit()
        assert audit.valid, f"{entry.why} {audit.why}"
        assert audit.counts.committed + audit.counts.unchanged == audit.counts.attempted


@pytest.mark.timeout(3600)
def test_a_planted_defect_is_found_and_made_small_and_its_command_shows_it_again(
    substrates: Provider, tmp_path: Path, evidence: Evidence, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker acknowledges too early: two faults at most show it, three times of three."""
    monkeypatch.setattr(hunting, "TRIES_MAX", TRIES)
    defect = defects.find("early-ack")
    said: list[str] = []
    hunt = Hunt(
        substrates,
        said.append,
        PER_S,
        sabotage=Sabotage("early-ack", defect.patch.plan),
        base=tmp_path / "labs",
        runs=tmp_path / "runs",
    )
    with stopwatch() as seconds:
        verdict = hunt.for_minutes(MINUTES, SEED)
        evidence("seconds until it was found and small", round(seconds()))
    assert verdict is Verdict.INVALID, "\n".join(said)
    (smallest,) = hunt.smallest
    evidence("the command", smallest.trial.command)
    assert len(smallest.trial.schedule) <= 2, "\n".join(said)
    assert smallest.audit is not None
    assert smallest.audit.finding(defect.laws[0]).verdict is Verdict.INVALID
    for _ in range(TIMES):
        ran = _typed(smallest.trial.command, tmp_path)
        assert ran.returncode == Verdict.INVALID.exit_code, ran.stdout + ran.stderr


def _typed(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """What becomes of a command that was printed, in a folder of its own."""
    program, *arguments = shlex.split(command)
    assert program == "lab"
    return subprocess.run(
        [sys.executable, "-m", program, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        timeout=REPLAY_WITHIN_S,
        capture_output=True,
        text=True,
        check=False,
    )
