"""Hints can be typed as they are printed, and pages write commands that a fresh shell finds."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from lab.paths import PROJECT, lab_command

PROGRAM = Path(sys.prefix) / "bin" / "lab"
PAGES = [
    PROJECT / "README.md",
    *(PROJECT / "lab").rglob("README.md"),
    *(PROJECT / "docs").glob("*.md"),
    *(
        page
        for part in ("guides", "phases", "reference", "runbooks")
        for page in (PROJECT / "docs" / part).glob("*.md")
        if page.name != "tests.md"
    ),
]
"""Decisions are no instructions, and the list of tests quotes; they are left out."""
OF_THE_ENVIRONMENT = "(?:lab|locust|chaos|pytest|python -m (?:lab|load|chaos))"
TYPED = re.compile(
    rf"^(?:    |\$ ){OF_THE_ENVIRONMENT} [^│]*$|`{OF_THE_ENVIRONMENT} [^`]+`|^\$ .*; python "
)
"""A line that is a command, or a command within a line, without the place where it is."""


IGNORED = (".lab/", ".runs/")


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an environment whose `lab` is this one, that no PATH knows."""
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    shutil.copy(PROGRAM, tmp_path / ".venv" / "bin" / "lab")
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_in_the_projects_folder_a_hint_names_the_program_there(here: Path) -> None:
    assert lab_command("up", "--name", "mine") == ".venv/bin/lab up --name mine"
    typed = lab_command("--help")
    assert subprocess.run(["sh", "-c", typed], timeout=50, capture_output=True, check=True).stdout


def test_where_the_shell_finds_it_a_hint_is_short(
    here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", f"{here}/.venv/bin{os.pathsep}/usr/bin")
    assert lab_command("up") == "lab up"


def test_another_program_of_that_name_is_not_meant(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("bin") / "lab"
    other.write_text("#!/bin/sh\n")
    other.chmod(0o755)
    monkeypatch.setenv("PATH", str(other.parent))
    assert lab_command("up") == ".venv/bin/lab up"


def test_elsewhere_a_hint_says_where_it_is(
    here: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert lab_command("up") == f"{here}/.venv/bin/lab up"


def test_what_a_shell_would_take_apart_is_quoted(here: Path) -> None:
    assert lab_command("ctl", "psql", "-c", "select 1") == ".venv/bin/lab ctl psql -c 'select 1'"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_pages_write_commands_as_a_fresh_shell_finds_them(page: Path) -> None:
    """`.venv/bin/lab …`, from the project's folder; or `make …`."""
    wrong = [
        (number, line)
        for number, line in enumerate(page.read_text("utf-8").splitlines(), 1)
        if TYPED.search(line)
    ]
    assert wrong == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_what_pages_let_one_write_is_ignored_by_git(page: Path) -> None:
    """What a line sends into a file, or what a reader is asked to save."""
    text = page.read_text("utf-8")
    lines = "\n".join(re.findall(r"^\$ .*", text, re.MULTILINE))
    written = re.findall(r"(?<![0-9&])>\s*([\w./-]+)|--(?:to|journal) ([\w./-]+)", lines)
    asked = re.findall(r"[Ss]ave this as `([^`]+)`", text)
    files = {first or second for first, second in written} | set(asked)
    assert [each for each in files if not each.startswith(IGNORED)] == []
    ignored = (PROJECT / ".gitignore").read_text().splitlines()
    assert all(f"{each}" in ignored for each in IGNORED)
