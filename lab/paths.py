"""Where the project is on this machine, and how its commands are typed here."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
"""The folder with pyproject.toml."""


def lab_command(*words: str) -> str:
    """A command of the lab as it can be typed in this folder and shell: `.venv/bin/lab up`.

    It is `lab` alone only where the shell finds this very program by that name. Whatever gives a
    hint takes it from here, since a hint that does not work is worse than none.

    Args:
        words: what comes after; they are quoted where the shell asks for it.
    """
    return _typed(words, None)


def fresh_lab_command(*words: str) -> str:
    """The same, for a shell in this folder that was opened just now; see `fresh_path`.

    A page in a browser takes its commands from here: it does not know the shell that its reader
    pastes them into.
    """
    return _typed(words, fresh_path(os.environ))


def fresh_path(environment: Mapping[str, str]) -> str:
    """The PATH of such a shell: the given one, without the programs of this Python environment.

    A Python that is in no environment has its programs among everybody's; then nothing is left out.
    """
    folders = environment.get("PATH", os.defpath).split(os.pathsep)
    if sys.prefix == sys.base_prefix:
        return os.pathsep.join(folders)
    own = os.path.realpath(Path(sys.prefix) / "bin")
    return os.pathsep.join(each for each in folders if os.path.realpath(each) != own)


def near(path: Path) -> Path:
    """A path as one writes it in this folder: relative, if it is below."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _typed(words: Sequence[str], path: str | None) -> str:
    return " ".join([_program(path), *map(shlex.quote, words)])


def _program(path: str | None) -> str:
    """How `lab` is found by a shell with this PATH; None is our own."""
    program = Path(sys.prefix) / "bin" / "lab"
    found = shutil.which("lab", path=path)
    if found and program.exists() and os.path.samefile(found, program):  # noqa: PTH121
        return "lab"
    if not program.exists():
        return f"{shlex.quote(sys.executable)} -m lab"
    return shlex.quote(str(near(program)))
