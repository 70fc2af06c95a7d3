"""Every command that a page writes exists, with its words and options; none is run here.

What pages mark as `runnable` is run, too, by test_documents.py, and the README's by test_readme.py.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from lab.paths import PROJECT
from lab.tests import command_line
from lab.tests.command_line import NoSuchCommand
from lab.tests.test_paths import PAGES

OPERATORS = re.compile(r"[;&|()<>]+")
LEADING = {"!", "then", "do", "until", "while", "if", "else", "time"}
"""Words of the shell before a command."""


def in_blocks(page: str) -> list[str]:
    """The commands of the lab and of make that can be typed as they are. Pure."""
    lines = re.findall(r"^(?:    |\$ )((?:\S.*\b)?(?:make|\S*/lab)\b.*)$", page, re.MULTILINE)
    return [command for line in lines for command in simple(line)]


def in_sentences(page: str) -> list[str]:
    """Those that sentences name; what has to come after may be missing. Pure."""
    found = re.findall(r"`((?:make|\S*/lab) [^`\n]+)`", page)
    return [command for words in found if words.split()[1] != "…" for command in simple(words)]


def simple(line: str) -> Iterator[str]:
    """The simple commands of a line of shell that are ours. Pure."""
    reader = shlex.shlex(line, posix=True, punctuation_chars=True)
    reader.whitespace_split = True
    words: list[str] = []
    for token in (*reader, ";"):
        if not OPERATORS.fullmatch(token):
            words.append(token)
            continue
        while words and words[0] in LEADING:
            words.pop(0)
        if words and (words[0] == "make" or words[0].endswith("/lab")):
            yield shlex.join(words)
        words = []


def check(command: str, *, whole: bool = True) -> None:
    if command.startswith("make"):
        command_line.check_target(command)
    else:
        command_line.check(command, whole=whole)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_each_command_of_a_page_exists(page: Path) -> None:
    text, wrong = page.read_text("utf-8"), []
    for command, whole in (
        *((each, True) for each in in_blocks(text)),
        *((each, False) for each in in_sentences(text)),
    ):
        try:
            check(command, whole=whole)
        except NoSuchCommand as error:
            wrong.append(str(error))
    assert wrong == []


def test_commands_are_found_in_blocks_and_within_lines() -> None:
    page = """
Type `make lab`, not `make nothing of it` and no `lab/cli`, or `.venv/bin/lab up`:

    apt-get update && apt-get install make      # make no wish
    make load PROFILE=ten-times   # put load on it

$ (.venv/bin/lab load --for 3s > x; touch y) & until ../lab list; do sleep 1; done
output of make lab
"""
    assert in_blocks(page) == [
        "make load PROFILE=ten-times",
        ".venv/bin/lab load --for 3s",
        "../lab list",
    ]
    assert in_sentences(page) == ["make lab", "make nothing of it", ".venv/bin/lab up"]


@pytest.mark.parametrize(
    "command",
    [
        "lab nothing",
        "lab up --nothing",
        "lab up --with nothing",
        "lab scale many",
        "lab fault strike",
        "lab phase",
        "make nothing",
        "make lab NOTHING=1",
        "nothing up",
    ],
)
def test_what_does_not_exist_is_noticed(command: str) -> None:
    with pytest.raises(NoSuchCommand):
        check(command)


def test_what_exists_is_let_pass() -> None:
    for command in (
        "lab up --with flower",
        ".venv/bin/lab slo --help",
        "x/lab ctl psql -c 'x y'",
        "make hunt MINUTES=10 SEED=1 PYTEST_ARGS=-x",
    ):
        check(command)
    for named in ("lab ctl", "lab run --fault"):
        check(named, whole=False)
        with pytest.raises(NoSuchCommand):
            check(named)
