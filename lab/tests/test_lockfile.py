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


def test_alternatives_by_python_need_a_pin_each_and_each_pin_one_of_them() -> None:
    project = """
[project]
dependencies = ["alpha<2; python_version < '3.12'", "alpha>=3; python_version >= '3.12'"]
[project.optional-dependencies]
"""
    asked = wanted(project)
    assert out_of_step(asked, pins("alpha==1.9 ; x\nalpha==3.0 ; y\n")) == []
    assert out_of_step(asked, pins("alpha==1.9\nalpha==2.5\n")) == [
        "alpha is pinned at 2.5, which nothing asks for",
        "alpha has no pin that is >=3",
    ]


def test_every_script_is_understood_by_a_plain_shell() -> None:
    scripts = sorted((PROJECT / "lab/dev/setup").glob("*.sh"))

    assert len(scripts) >= 3
    for script in scripts:
        subprocess.run(["sh", "-n", str(script)], check=True, timeout=120)


def test_the_lock_file_of_this_project_is_in_step(capsys: pytest.CaptureFixture[str]) -> None:
    assert lockfile.main() == 0, capsys.readouterr().err


def test_the_locks_of_project_and_image_must_not_differ() -> None:
    whole = "alpha==2.0 \\\n    --hash=sha256:00\nbeta==1.0 \\\n    --hash=sha256:01\n"

    assert lockfile.not_part_of(whole, "alpha==2.0 \\\n    --hash=sha256:00\n") == []
    assert lockfile.not_part_of(whole, "alpha==2.1 \\\n    --hash=sha256:02\n") == [
        "alpha==2.1 is not pinned so in requirements.lock"
    ]


def test_a_package_that_two_locks_pin_at_different_versions_is_named() -> None:
    usual, bench = (
        lockfile.pins("alpha==1.0\nbeta==2.0\n"),
        lockfile.pins("beta==2.1\ngamma==1.0\n"),
    )
    assert lockfile.disagreeing(bench, usual) == [
        "beta is pinned at 2.1, in requirements.lock at 2.0"
    ]
    assert lockfile.disagreeing(usual, usual) == []
