"""What can be done in the control room: each form that is sent becomes a `lab` command.

Pure, but for where the program of that name is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from lab.errors import CannotRun
from lab.faults import registry as faults
from lab.paths import fresh_lab_command
from lab.substrates.registry import DEFAULT
from lab.workload import profiles

DEFAULT_NAME = "default"
SECONDS_MAX = 600
WORKERS_MAX = 16
SCRAPES_MAX = 50
LETTERS_SHOWN = 20
_REASON = re.compile(r"[a-z][a-z0-9_-]{0,39}")

Form = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Command:
    """A `lab` command.

    Attributes:
        words: what follows `lab`.
        works: it puts load on the lab and judges; only one such command runs at a time.
    """

    words: tuple[str, ...]
    works: bool = False

    def __str__(self) -> str:
        """As a person types it, in a shell of this folder that was opened just now."""
        return fresh_lab_command(*self.words)


@dataclass(frozen=True, slots=True)
class Target:
    """The lab that commands are for."""

    name: str = DEFAULT_NAME
    substrate: str = DEFAULT

    @property
    def options(self) -> tuple[str, ...]:
        """What names it on a command line; nothing, if it is the usual one."""
        named = () if self.name == DEFAULT_NAME else ("--name", self.name)
        placed = () if self.substrate == DEFAULT else ("--substrate", self.substrate)
        return (*named, *placed)


def command(action: str, form: Form, target: Target) -> Command:
    """The command that an action stands for.

    Raises:
        CannotRun: there is no such action, or a field has no possible value; says which.
    """
    if action not in ACTIONS:
        raise CannotRun(f"the control room has no action {action!r}")
    return ACTIONS[action](form, target)


def _load(form: Form, target: Target) -> Command:
    profile = form.get("profile", "")
    profiles.find(profile)
    seconds = _number(form, "seconds", 1, SECONDS_MAX)
    late = ("--may-be-late",) if form.get("late") else ()
    words = ("load", "--profile", profile, "--for", f"{seconds}s", *late)
    return Command((*words, *target.options), works=True)


def _season(form: Form, target: Target) -> Command:
    scrapes = _number(form, "scrapes", 1, SCRAPES_MAX)
    return Command(("season", "--scrapes", str(scrapes), *target.options), works=True)


def _strike(form: Form, target: Target) -> Command:
    found = faults.find(form.get("fault", ""))
    seconds = _number(form, "seconds", 1, SECONDS_MAX)
    prefix = f"{found.name}."
    chosen = {
        key.removeprefix(prefix): value for key, value in form.items() if key.startswith(prefix)
    }
    values = found.completed({key: value for key, value in chosen.items() if value})
    words = ["fault", "strike", found.name, "--for", f"{seconds}s"]
    for key, value in values.items():
        if value != found.parameters[key]:
            words += ["--set", f"{key}={value}"]
    return Command((*words, *target.options))


def _cure(form: Form, target: Target) -> Command:
    fault = form.get("fault", "")
    which = "--all" if not fault else faults.find(fault).name
    return Command(("fault", "cure", which, *target.options))


def _scale(form: Form, target: Target) -> Command:
    count = _number(form, "workers", 0, WORKERS_MAX)
    return Command(("scale", str(count), *target.options))


def _letters(form: Form, target: Target) -> Command:
    return _dead_letters(("list", "--limit", str(LETTERS_SHOWN)), target)


def _replay(form: Form, target: Target) -> Command:
    reason = form.get("reason", "")
    if reason and not _REASON.fullmatch(reason):
        raise CannotRun(f"{reason!r} is no reason for which messages die")
    words = ["replay", *(("--reason", reason) if reason else ())]
    return _dead_letters(tuple(words), target)


def _dead_letters(words: tuple[str, ...], target: Target) -> Command:
    return Command(("ctl", *target.options, "dead-letters", *words))  # its own options go first


def _slo(form: Form, target: Target) -> Command:
    named = ("--name", target.name)
    placed = () if target.substrate == DEFAULT else ("--substrate", target.substrate)
    return Command(("slo", *named, *placed))


ACTIONS: Mapping[str, Callable[[Form, Target], Command]] = {
    "load": _load,
    "season": _season,
    "strike": _strike,
    "cure": _cure,
    "scale": _scale,
    "letters": _letters,
    "replay": _replay,
    "slo": _slo,
}


def _number(form: Form, name: str, least: int, most: int) -> int:
    text = form.get(name, "")
    if not (text.isascii() and text.isdigit() and len(text) <= 4 and least <= int(text) <= most):
        raise CannotRun(f"{name} must be a whole number from {least} to {most}, not {text!r}")
    return int(text)
