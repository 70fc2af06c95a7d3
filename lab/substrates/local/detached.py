"""A lab that outlives the command that started it: up, status, down.

`lab up` starts a keeper in a session of its own and prints its output until the lab is up.
From then on the state file and the lock are all there is between the commands.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from datetime import UTC, datetime
from itertools import takewhile
from pathlib import Path
from typing import Protocol

import psutil

from lab.errors import NotWithin, SubstrateError
from lab.paths import PROJECT, near
from lab.substrates.local import cleaning, control, grafana, processes
from lab.substrates.local.instance import FAILED, UP, Instance, State
from lab.substrates.local.keeper import END_GRACE_S, run_guarded
from lab.substrates.local.local import Local
from lab.substrates.local.service import environment
from lab.substrates.plan import Plan, as_json
from lab.substrates.protocol import Substrate
from lab.substrates.provider import DASHBOARDS, Beside, Kept, Line, Say, Status, Striker, nothing
from lab.wait import eventually

START_WITHIN_S = 600
_TRANSCRIPT_MAX = 100_000


class Holdable(control.Held, Substrate, Protocol):
    """A lab that can be kept."""


Make = Callable[[Instance, Say], AbstractContextManager[Holdable]]
"""Gives a lab that is not up yet, for the block."""


def of_processes(instance: Instance, say: Say) -> AbstractContextManager[Holdable]:
    """A lab of this machine's processes; see `Make`."""
    return nullcontext(Local(instance, say))


def hold(
    instance: Instance,
    plan: Plan,
    say: Say,
    striker: Striker,
    beside: Beside = nothing,
    make: Make = of_processes,
) -> int:
    """Bring a lab up and keep it until SIGINT or SIGTERM; meanwhile others use it, see `control`.

    Returns:
        0 once it was asked to end, 2 if it did not come up.
    """

    def work() -> int:
        with make(instance, say) as lab:
            try:
                with beside() as places:
                    instance.change(places=dict(places))
                    ends = lab.up(plan)
                    with control.served(instance.folder, lab, striker(lab, ends)):
                        threading.Event().wait()
            except SubstrateError as error:
                say(str(error))
                return 2
            except (KeyboardInterrupt, SystemExit):
                return 0
            finally:
                lab.down()
        return 0

    return run_guarded(work, instance)


def start(
    instance: Instance,
    command: list[str],
    plan: Plan,
    say: Say,
    settings: Mapping[str, str] = {},
) -> State:
    """Start a detached keeper that runs `command`, and wait until its lab is up.

    Args:
        command: arguments of `python -m lab` that hold this instance in the foreground; it reads
            the plan from its standard input, since no command line may show its secrets.
        say: called with each line that the keeper prints.
        settings: variables that the keeper needs beyond those that every program gets.
    """
    with instance.claimed():  # says so now, if the name is taken
        pass
    with tempfile.TemporaryFile() as transcript, tempfile.TemporaryFile() as asked:
        asked.write(as_json(plan))
        asked.seek(0)
        keeper = subprocess.Popen(
            [sys.executable, "-m", "lab", *command],
            stdin=asked,
            stdout=transcript,
            stderr=subprocess.STDOUT,
            env={**settings, **environment(PYTHONPATH=str(PROJECT), PYTHONUNBUFFERED="1")},
            start_new_session=True,
        )
        return _follow(instance, keeper, transcript.fileno(), say)


def _follow(
    instance: Instance, keeper: subprocess.Popen[bytes], transcript: int, say: Say
) -> State:
    read = 0

    def look() -> bool:
        nonlocal read
        said = os.pread(transcript, _TRANSCRIPT_MAX, 0).decode(errors="replace").splitlines()
        for line in said[read:]:
            say(line)
        read = len(said)
        state = instance.read()
        return keeper.poll() is not None or (state is not None and state.phase == UP)

    try:
        eventually("the lab to come up", look, within_s=START_WITHIN_S)
    except (NotWithin, KeyboardInterrupt) as error:
        keeper.terminate()
        keeper.wait(END_GRACE_S + 20)
        if isinstance(error, KeyboardInterrupt):
            raise
        raise SubstrateError(f"{error}; logs: {instance.logs}") from error
    state = instance.read()
    if keeper.poll() is not None or state is None:
        raise SubstrateError(f"the lab {instance.name!r} did not come up; logs: {instance.logs}")
    return state


def stop(instance: Instance, within_s: float = END_GRACE_S + 20) -> bool:
    """End a lab, or sweep what a dead one has left; see `lab.substrates.provider.Keeps`."""
    if not instance.is_alive():
        there = instance.folder.exists() and instance.read() is not None
        cleaning.sweep_dead(instance.folder.parent)
        return there
    keeper = _ask_to_end(instance)
    try:
        eventually(
            f"the lab {instance.name!r} to end",
            lambda: not (instance.is_alive() or (keeper and processes.is_alive(keeper))),
            within_s=within_s,
        )
    except NotWithin as error:
        raise SubstrateError(f"{error}; its logs: {instance.logs}") from error
    cleaning.sweep_dead(instance.folder.parent)
    return True


def _ask_to_end(instance: Instance) -> psutil.Process | None:
    """Send the keeper its signal. None if it was killed: then the work is ending the lab."""
    state = instance.read()
    if state is None:
        return None
    try:
        keeper = psutil.Process(state.keeper)
        keeper.terminate()
    except psutil.NoSuchProcess:
        return None
    return keeper


def kept(instance: Instance) -> Kept:
    """What a lab writes down about itself, for others."""
    state = instance.read()
    dashboards = instance.folder / grafana.FOLDER
    return Kept(
        instance.name,
        state.addresses() if state else None,
        datetime.fromisoformat(state.since).timestamp() if state else 0.0,
        {
            **(state.places if state else {}),
            "passwords": str(near(instance.folder / "state.json")),
            "logs": str(near(instance.logs)),
            **({DASHBOARDS: str(near(dashboards))} if dashboards.is_dir() else {}),
        },
        state.breaches if state else [],
        doing(state.keeper) if state else "",
    )


def doing(keeper: int) -> str:
    """What a lab is there for: the command of its keeper, as `command_of` has it."""
    with suppress(psutil.Error):
        return command_of(psutil.Process(keeper).cmdline())
    return ""


def command_of(argv: Sequence[str]) -> str:
    """The command of a process for people: `lab run`, `lab phase 3`, `pytest`. Pure.

    Without options: they may hold secrets.
    """
    words = [Path(word).name for word in argv[1:] if word not in ("-m", "-u", "-I")]
    for number, word in enumerate(words):
        if word in ("lab", "chaos", "pytest", "py.test"):
            named = takewhile(lambda each: not each.startswith("-"), words[number + 1 :])
            after = list(named) if word == "lab" else []
            if after[:1] == ["hold"]:
                return "lab up"
            return " ".join([word, *after[:2]])
    return next((word for word in words if not word.startswith("-")), "").partition(".")[0]


def status(instance: Instance) -> Status:
    """Look at a lab from outside, through its state file."""
    state = instance.read()
    if state is None or not instance.is_alive():
        return Status(instance.name, "none", FAILED if state else "", [])
    lines = [_line(each.name, each.pid, each.started, each.ports) for each in state.processes]
    healthy = state.phase == UP and all(line.state == "up" for line in lines)
    verdict = "up" if healthy else "degraded"
    return Status(instance.name, verdict, state.phase, lines, state.breaches)


def _line(name: str, pid: int, started: float, ports: list[int]) -> Line:
    gone = Line(name, "gone", pid, ports, "", 0)
    try:
        leader = psutil.Process(pid)
        if processes.start_time(pid) != started or not processes.is_alive(leader):
            return gone
        paused = leader.status() == psutil.STATUS_STOPPED
        since = datetime.fromtimestamp(leader.create_time(), UTC).isoformat(timespec="seconds")
    except psutil.NoSuchProcess:
        return gone
    return Line(
        name,
        "paused" if paused else "up",
        pid,
        ports,
        since,
        processes.resident_bytes(pid) // 2**20,
    )
