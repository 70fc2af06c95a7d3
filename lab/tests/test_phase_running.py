"""A phase runs, judges each experiment by how it ended, and writes down what it showed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from lab.errors import CannotRun
from lab.paths import PROJECT
from lab.phases import runner
from lab.wait import eventually

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.timeout(600),  # each starts a Python and a pytest of its own
]

RUN = """
import os, sys
from pathlib import Path
from lab.phases import runner

terminal = os.fdopen(os.dup(1), "w")
account, folder = runner.run(
    9, [Path(sys.argv[1])], "local",
    say=lambda line: print(line, file=terminal, flush=True),
    only=sys.argv[2], base=Path("lab"), runs=Path("runs"),
)
sys.exit(account.verdict.exit_code)
"""
EXPERIMENTS = '''"""Phase 9: endings.

And more."""
import signal, os, time
import pytest
from typing import Protocol, runtime_checkable
from lab.errors import SubstrateError
from lab.experiment.plugin import needs
from lab.wait import eventually

@runtime_checkable
class Flying(Protocol):
    def fly(self): ...

def test_holds(evidence):
    """One holds.

    It is shown."""
    evidence("queue", 20)

def test_broken(evidence):
    evidence("queue", 19)
    assert 1 == 2

@pytest.mark.parametrize("n", [7])
def test_never_seen(n):
    eventually("the moon", lambda: 0, within_s=0)

def test_could_not_look():
    def look():
        raise OSError("refused")
    eventually("the moon", look, within_s=0, tolerate=(OSError,))

def test_no_error():
    with pytest.raises(ValueError):
        pass

def test_skipped():
    pytest.skip("cannot partition")

@needs(Flying)
def test_cannot_be_asked():
    assert 1 == 2

def test_crashed():
    raise SubstrateError("died")

@pytest.mark.timeout(0.2)
def test_slow():
    time.sleep(5)

@pytest.fixture
def untidy():
    yield
    raise OSError("cannot clean")

def test_untidy(untidy):
    pass

def test_ended_from_outside():
    print("now", flush=True)
    SIGNAL

def test_after():
    pass
'''


def phase(folder: Path, only: str, source: str = EXPERIMENTS) -> subprocess.Popen[str]:
    """Run a phase of small experiments in a process of its own."""
    module = folder / "test_phase9_endings.py"
    module.write_text(source)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, str(module), only],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def test_each_ending_has_its_verdict(tmp_path: Path) -> None:
    process = phase(tmp_path, "not outside and not after")
    said, _ = process.communicate(timeout=150)

    assert process.returncode == 1, said
    content = json.loads((tmp_path / "runs/latest/evidence.json").read_text())
    verdicts = {each["name"]: each["verdict"] for each in content["claims"]}
    assert verdicts == {
        "test_holds": "valid",
        "test_broken": "invalid",
        "test_never_seen[7]": "invalid",
        "test_could_not_look": "unknown",
        "test_no_error": "invalid",
        "test_skipped": "unknown",
        "test_cannot_be_asked": "unknown",
        "test_crashed": "unknown",
        "test_slow": "unknown",
        "test_untidy": "unknown",
    }
    first, second = content["claims"][:2]
    assert (first["text"], first["experiment"]) == ("One holds.", "It is shown.")
    assert first["seen"] == [{"what": "queue", "value": 20}]
    assert second["seen"] == [{"what": "queue", "value": 19}]
    assert "assert 1 == 2" in second["because"]
    assert (content["phase"], content["title"]) == (9, "endings")
    assert "1/10  One holds." in said
    page = (tmp_path / "runs/latest/evidence.md").read_text()
    assert "## ✓ One holds." in page
    (cannot,) = [each for each in content["claims"] if each["lacking"]]
    assert (cannot["name"], cannot["because"]) == ("test_cannot_be_asked", cannot["lacking"])
    assert cannot["lacking"] == "the substrate 'local' is not Flying"


def test_a_phase_whose_claims_all_hold_ends_with_0(tmp_path: Path) -> None:
    process = phase(tmp_path, "holds")
    assert (process.communicate(timeout=150), process.returncode)[1] == 0


def test_what_the_substrate_cannot_do_is_neither_shown_nor_undecided(tmp_path: Path) -> None:
    process = phase(tmp_path, "holds or cannot_be_asked")
    assert (process.communicate(timeout=150), process.returncode)[1] == 0
    why = json.loads((tmp_path / "runs/latest/evidence.json").read_text())["why"]
    assert why == "all 1 claims hold that can be shown here; 1 cannot"


def test_a_phase_of_which_nothing_can_be_asked_is_unknown(tmp_path: Path) -> None:
    process = phase(tmp_path, "cannot_be_asked")
    assert (process.communicate(timeout=150), process.returncode)[1] == 2


@pytest.mark.parametrize(
    ("source", "only", "why"),
    [
        (EXPERIMENTS, "no_such_name", "no experiment matches 'no_such_name'"),
        ("import nowhere_to_be_found\n", "", "nowhere_to_be_found"),
    ],
)
def test_a_phase_that_cannot_run_is_unknown_and_says_why(
    source: str, only: str, why: str, tmp_path: Path
) -> None:
    process = phase(tmp_path, only, source)
    process.communicate(timeout=150)

    assert process.returncode == 2
    assert why in json.loads((tmp_path / "runs/latest/evidence.json").read_text())["why"]


@pytest.mark.parametrize(
    "end", ["signal.raise_signal(signal.SIGINT)", "raise SystemExit(143)"], ids=["Ctrl-C", "ended"]
)
def test_what_did_not_run_any_more_is_unknown(end: str, tmp_path: Path) -> None:
    process = phase(tmp_path, "holds or outside or after", EXPERIMENTS.replace("SIGNAL", end))
    process.communicate(timeout=150)

    assert process.returncode == 2
    content = json.loads((tmp_path / "runs/latest/evidence.json").read_text())
    verdicts = [each["verdict"] for each in content["claims"]]
    assert verdicts == ["valid", "unknown", "unknown"]


def test_a_phase_that_is_not_there_is_named_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "test_phase1_things.py").touch()
    (tmp_path / "test_phase1_more.py").touch()

    assert [path.stem for path in runner.find(1, tmp_path)] == [
        "test_phase1_more",
        "test_phase1_things",
    ]
    with pytest.raises(CannotRun, match=r"no phase 5 here; .*: phase1_more, phase1_things"):
        runner.find(5, tmp_path)


def test_every_phase_of_the_repository_has_a_title_and_can_be_found() -> None:
    for number in (0, 1):
        assert runner.title(runner.find(number)[0])


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_an_interrupted_command_leaves_no_folder_of_a_lab(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "lab", "phase", "1", "--only", "life"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        eventually(
            "the phase's lab to start",
            lambda: [*tmp_path.glob(".lab/phase-*/state.json")],
            within_s=200,
        )
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=200)
    finally:
        process.kill()

    assert process.returncode == 2, said
    assert "? UNKNOWN" in said
    assert not (tmp_path / ".lab").exists()
