"""The lock file is in step with the project, and the scripts of the set-up can be read."""

from __future__ import annotations

import subprocess

import pytest

from lab.dev import lockfile
from lab.dev.lockfile import out_of_step, pins, wanted
from lab.paths import PROJECT


def test_a_pin_that_is_missing_or_too_old_is_named() -> None:
    project = """
[project]
dependencies = ["alpha>=2", "Beta_Two[extra]>=1"]
[project.optional-dependencies]
tools = ["gamma<3"]
"""
    lock = "alpha==1.9 \\\n    --hash=sha256:00\nbeta-two[extra]==1.0 ; python_version < '3.12'\n"

    complaints = out_of_step(wanted(project), pins(lock))

    assert complaints == ["alpha is pinned at 1.9, which is not >=2", "gamma has no pin"]


def test_every_script_is_understood_by_a_plain_shell() -> None:
    scripts = sorted((PROJECT / "lab/dev/setup").glob("*.sh"))

    assert len(scripts) >= 3
    for script in scripts:
        subprocess.run(["sh", "-n", str(script)], check=True, timeout=10)


def test_the_lock_file_of_this_project_is_in_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert lockfile.main() == 0, capsys.readouterr().err
