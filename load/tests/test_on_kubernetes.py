"""A load on a cluster ends with the worse of budgets and ledger, from here and from within."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lab.dev.terminal import Said, Terminal
from lab.substrates import registry
from load.tests.running import GENEROUS

pytestmark = [pytest.mark.kubernetes, pytest.mark.services, pytest.mark.timeout(1800)]

WITHIN_S = 900.0
STRICT = "baseline: {success_ratio_min: 0, commit_p99_ms: 0.001}\n"


def loaded(folder: Path, *words: str) -> Said:
    """Type `python -m load` for a lab on the cluster, and some seconds of the smallest load."""
    of_locust = ("--seconds", "5", *words)
    where = ("--substrate", registry.ON_A_CLUSTER)
    inside = [each for each in of_locust if each == "--inside"]
    rest = [each for each in of_locust if each != "--inside"]
    command = (sys.executable, "-m", "load", *where, *inside, "--", *rest)
    return Terminal(folder).type(*command, within_s=WITHIN_S)


def verdict(folder: Path, run: str) -> str:
    (document,) = folder.glob(f".runs/2*-{run}/verdict.json")
    return str(json.loads(document.read_text("utf-8"))["verdict"])


def test_a_load_from_here_is_judged(tmp_path: Path) -> None:
    (tmp_path / "budgets.yaml").write_text(GENEROUS)
    said = loaded(tmp_path, "--budgets", "budgets.yaml")
    assert said.code == 0, said.complaints
    assert "audit: valid" in said.complaints
    assert verdict(tmp_path, "load-baseline") == "valid"


def test_a_load_that_exceeds_its_budgets_has_failed_though_the_ledger_is_content(
    tmp_path: Path,
) -> None:
    (tmp_path / "budgets.yaml").write_text(STRICT)
    said = loaded(tmp_path, "--budgets", "budgets.yaml")
    assert said.code == 1, said.complaints
    assert "audit: valid" in said.complaints


def test_a_load_from_within_is_judged_there_and_its_record_comes_home(tmp_path: Path) -> None:
    """With the usual budgets, which are for a machine that does nothing else: 0 or 1, never 2."""
    said = loaded(tmp_path, "--inside")
    assert said.code in (0, 1), said.out + said.complaints
    assert "audit: valid" in said.out
    assert verdict(tmp_path, "load-inside") == "valid"
    kept = {"verdict.json", "history.jsonl", "report.html", "budgets.json"}
    (folder,) = tmp_path.glob(".runs/2*-load-inside")
    assert kept <= {each.name for each in folder.iterdir()}
