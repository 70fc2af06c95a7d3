"""The command `lab top`: which lab, and one picture after the other until a key ends it."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, NoReturn

import typer
from rich.console import Console, RenderableType
from rich.live import Live

from lab.cli.kept import Watched, find
from lab.cli.options import SubstrateName
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.errors import CannotRun
from lab.paths import lab_command
from lab.substrates import registry
from lab.substrates.abilities import Breach
from lab.substrates.provider import Keeps
from lab.top import formatting, keys
from lab.top.collect import load_curves, take_snapshot
from lab.top.render import error_screen, render
from lab.top.snapshot import Curves, Snapshot

READ_S = 3.0
"""For an answer; a picture that waits longer is no live one."""


def command(
    name: Annotated[
        str | None, typer.Option(help="Which lab.", show_default="default, or the only one")
    ] = None,
    once: Annotated[bool, typer.Option(help="Print one picture, and end.")] = False,
    every: Annotated[float, typer.Option(min=0.2, max=60, help="Seconds between two looks.")] = 1.0,
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Watch a running lab; q ends it.

    It shows queues, workers, latency, objectives, faults, alerts.

    Exit code: 0 looked, 2 no such lab, or it cannot be looked at.
    """
    provider = registry.keeping(substrate)
    watched = find(name, provider.labs())
    console = Console(highlight=False)
    if not once and not console.is_terminal:
        raise CannotRun(
            f"this is no terminal to draw on; `{lab_command('top', '--once')}` prints one picture"
        )
    with Prometheus(watched.url, read_s=READ_S, total_s=READ_S) as prometheus:
        if once:
            curves = load_curves(prometheus, every)
            console.print(_look(watched, prometheus, curves, console.width, provider))
        else:
            _watch(watched, prometheus, console, every, provider)


def _look(
    watched: Watched, prometheus: Prometheus, curves: Curves, width: int, provider: Keeps
) -> RenderableType:
    snapshot = with_breaches(take_snapshot(prometheus), _breaches(watched.name, provider))
    curves.remember(snapshot)
    return render(_title(watched), snapshot, curves, width)


def _breaches(name: str, provider: Keeps) -> list[Breach]:
    """What the lab's keeper has struck, on behalf of anybody."""
    return next((lab.breaches for lab in provider.labs() if lab.name == name), [])


def with_breaches(snapshot: Snapshot, breaches: Sequence[Breach]) -> Snapshot:
    """The snapshot with the faults that the keeper knows beside those that runs report. Pure."""
    struck = {breach.fault for breach in breaches}
    reported = [name for name in snapshot.faults or () if name not in struck]
    return replace(snapshot, faults=sorted([*map(str, breaches), *reported]))


def _title(watched: Watched) -> str:
    """Which lab, and when it was looked at."""
    now = time.time()
    age = formatting.duration(max(0.0, now - watched.since))
    return f"lab {watched.name}  {datetime.fromtimestamp(now, UTC):%H:%M:%S} UTC  up {age}"


def _watch(
    watched: Watched, prometheus: Prometheus, console: Console, every_s: float, provider: Keeps
) -> None:
    """Draw until a key, a signal, or the lab's end."""
    curves, ended = load_curves(prometheus, every_s), False
    with (
        suppress(KeyboardInterrupt),
        _sigterm_interrupts(),
        keys.pressed_keys() as pressed,
        Live(console=console, screen=True, auto_refresh=False) as live,
    ):
        while not ended:
            begun = time.monotonic()
            try:
                drawn = _look(watched, prometheus, curves, console.width, provider)
            except NoData as error:
                drawn = error_screen(_title(watched), f"Prometheus cannot be asked: {error}")
                ended = all(lab.name != watched.name for lab in provider.labs())
            live.update(drawn, refresh=True)
            if not ended and pressed(max(0.05, every_s - (time.monotonic() - begun))):
                break
    if ended:
        console.print(f"The lab {watched.name!r} has ended.")


@contextmanager
def _sigterm_interrupts() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does, so that the terminal is put back then, too."""

    def interrupt(_number: int, _frame: object) -> NoReturn:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
