"""Whether a command that a page or a hint shows exists: asked of the parsers, running nothing."""

from __future__ import annotations

import re
import shlex
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from typing import Any

import typer

from lab.cli.app import app
from lab.paths import PROJECT

LAB = re.compile(r"(?:\S*/)?lab")
"""How the program is named: `lab`, or with the way to it."""
_MORE = re.compile(r"Error: (Missing argument|Option '\S+' requires an argument)")


class NoSuchCommand(Exception):  # noqa: N818
    """What would be complained of if it were typed."""


def check(typed: str, *, whole: bool = True) -> None:
    """Read a line as a shell and the lab's own parser do; nothing is run.

    Args:
        whole: it can be typed as it is; else it only names a command or an option, and what has to
            come after may be missing.

    Raises:
        NoSuchCommand: it is no command of the lab, or has a word or an option that it cannot have.
    """
    program, *words = shlex.split(typed)
    if not LAB.fullmatch(program):
        raise NoSuchCommand(f"{typed}: {program} is not the lab")
    said = StringIO()
    with redirect_stdout(StringIO()), redirect_stderr(said):
        try:
            _parser().main(words, prog_name="lab")
        except SystemExit as end:
            if end.code and (whole or not _MORE.search(said.getvalue())):
                raise NoSuchCommand(f"{typed}: {said.getvalue()}") from None


def check_target(typed: str) -> None:
    """Read a line of `make`: its target must be among those that `make` lists, its words used.

    Raises:
        NoSuchCommand: there is no such target, or it knows no such variable.
    """
    program, *words = shlex.split(typed)
    makefile = (PROJECT / "Makefile").read_text("utf-8")
    targets = {word for word in words if "=" not in word}
    variables = {word.partition("=")[0] for word in words if "=" in word}
    listed = set(re.findall(r"^([a-z0-9-]+):.*## ", makefile, re.MULTILINE))
    known = set(re.findall(r"^([A-Z_]+) \?=", makefile, re.MULTILINE))
    if program != "make" or targets - listed or variables - known:
        raise NoSuchCommand(f"{typed}: the Makefile has no {targets - listed or variables - known}")


@cache
def _parser() -> Any:
    return _without_effect(typer.main.get_command(app))


def _without_effect(command: Any) -> Any:
    """The same command with each of its subcommands, which then only read their words."""
    for under in getattr(command, "commands", {}).values():
        _without_effect(under)
    if not hasattr(command, "commands"):
        command.callback = lambda **_: None
    return command
