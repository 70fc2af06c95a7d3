"""What the README lets one type first is typed, as far as that changes nothing on this machine.

That each other command of it exists is held by test_page_commands.py; what they do, by their tests.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from lab.paths import PROJECT
from lab.tests.test_page_commands import in_blocks, in_sentences

README = (PROJECT / "README.md").read_text("utf-8")
WITHIN_S = 170.0


def typed(line: str, answers: str = "", folder: Path = PROJECT, within_s: float = WITHIN_S) -> str:
    """What a line shows in a shell in the project's folder that was opened just now."""
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env={"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/"},
        input=answers,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=within_s,
        check=False,
    )
    assert done.returncode == 0, f"{line}: {done.stdout}"
    return done.stdout


def shape(shown: str) -> tuple[list[str], str]:
    """What is the same each time: the parts that start, in no order; and everything else."""
    numbers = re.sub(r"http://\S+", "URL", re.sub(r"\.runs/\S+", "RUN", shown))
    numbers = re.sub(r"[0-9][0-9.,:T-]*", "N", numbers)
    lines = [" ".join(line.split()) for line in numbers.splitlines()]
    starts = [line for line in lines if line.endswith("up after N s")]
    return sorted(starts), " ".join(line for line in lines if line and line not in starts)


@pytest.mark.pages
@pytest.mark.services
@pytest.mark.timeout(600)
def test_the_main_job_and_then_its_objectives_show_what_the_readme_shows(tmp_path: Path) -> None:
    """What make would type, in a folder of its own: this run is not to be the user's latest."""
    (tmp_path / ".venv").symlink_to(PROJECT / ".venv")
    for command in ("make lab", "make slo"):
        (block,) = re.findall(f"<!-- output of `{command}` -->\n```\n(.*?)```", README, re.DOTALL)
        (line,) = (each for each in typed(f"{command} --dry-run").splitlines() if "bin/lab" in each)
        assert shape(typed(line, folder=tmp_path, within_s=500)) == shape(block)


def test_make_alone_lists_every_target_that_the_readme_names() -> None:
    shown = typed("make")
    named = {words.split()[1] for words in (*in_blocks(README), *in_sentences(README))
             if words.startswith("make ")}  # fmt: skip
    assert len(named) > 20
    assert named <= set(re.findall(r"^  make (\S+) ", shown, re.MULTILINE))


@pytest.mark.pages
@pytest.mark.skipif(shutil.which("apt-get") is None, reason="is about Debian's package manager")
def test_what_has_to_be_there_first_can_be_installed() -> None:
    """Said, not done: the package exists by that name."""
    (line,) = re.findall(r"^    (apt-get .*)$", README, re.MULTILINE)
    update, _, install = line.partition(" && ")
    assert update == "apt-get update"
    assert "make" in typed(install.replace("install", "install --simulate", 1))


@pytest.mark.pages
def test_in_the_shell_of_make_shell_the_lab_is_found_by_its_name() -> None:
    assert "messaging lab" in typed("make shell", answers="lab --version\n")
    assert "lab: not found" in typed("lab --version || :")
