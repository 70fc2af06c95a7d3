"""The pytest plugin, as another repository uses it: nothing but what is installed, and a page."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from lab.experiment import plugin
from lab.paths import PROJECT

GUIDE = PROJECT / "docs/guides/in-your-project.md"


def run_pytest(folder: Path, *options: str, within_s: float) -> subprocess.CompletedProcess[str]:
    """Pytest as someone types it in a folder that has nothing of this project."""
    left_out = ("PYTHONPATH", "PYTEST_ADDOPTS", "PYTEST_XDIST_WORKER")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *options],
        cwd=folder,
        env={name: value for name, value in os.environ.items() if name not in left_out},
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )


def example() -> str:
    """The test that the guide shows."""
    (block,) = re.findall(r"```python\n(# test_pipeline.py\n.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(block)


def test_it_is_published_under_the_name_by_which_this_project_loads_it() -> None:
    """The same name, so that pytest does not load it twice here."""
    (found,) = [each for each in entry_points(group="pytest11") if each.value == plugin.__name__]
    assert found.name == plugin.__name__


def test_the_guides_example_is_short_and_is_python() -> None:
    compile(example(), "test_pipeline.py", "exec")
    assert len(example().split("def ")[1].splitlines()) <= 5


@pytest.mark.pages
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_guides_example_passes_in_a_folder_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "test_pipeline.py").write_text(example())
    done = run_pytest(tmp_path, "-q", f"--basetemp={tmp_path / 'base'}", within_s=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout
