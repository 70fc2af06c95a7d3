"""Draws a snapshot for a terminal. Pure: values in, something that Rich can print out.

Colour never stands alone: `!` marks what is not as it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lab.top import formatting
from lab.top.formatting import NO_VALUE, count, duration, rate, share
from lab.top.snapshot import (
    EFFECTS_CURVE,
    MEAN_CURVE,
    Curves,
    ObjectiveSnapshot,
    QueueSnapshot,
    Snapshot,
    WorkerSnapshot,
    queue_curve,
    total,
)

NARROW = 72
"""On a narrower terminal, everything is in one column."""
WORKERS_MAX = 8
ALERTS_MAX = 6
STALE_S = 5.0
"""A lab is scraped every second; older than this, the screen shows the past."""
BAD, WARN, GOOD, QUIET = "bold red", "yellow", "green", "dim"
_MARK = "!"
_BACKLOG = 1000


def render(title: str, snapshot: Snapshot, curves: Curves, width: int) -> Group:
    """The whole screen.

    Args:
        title: which lab, and when.
        snapshot: the moment.
        curves: what came before it, and the moment itself.
        width: columns of the terminal.
    """
    halves = 1 if width < NARROW else 2
    half = (width - 2 * (halves - 1)) // halves
    room = max(6, half - 32)
    blocks = [
        _headed("queues", _queues(snapshot, curves, room)),
        _headed("workers", _workers(snapshot.workers)),
        _headed("messages each second", _flow(snapshot, curves, half - 20)),
        _headed("latency and objectives", _promises(snapshot, curves, half)),
    ]
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for _ in range(halves):
        grid.add_column(ratio=1)
    for at in range(0, len(blocks), halves):
        grid.add_row(*blocks[at : at + halves])
    alerts = _headed("alerts", _alarms(snapshot))
    return Group(_top(title, snapshot), _faults(snapshot), grid, alerts)


def error_screen(title: str, text: str) -> Text:
    """The screen while Prometheus cannot be queried."""
    return Text.assemble((title, "bold"), "\n", (f"{_MARK} {text}", BAD))


def _headed(title: str, body: RenderableType) -> Group:
    return Group(Rule(title, align="left", style=QUIET), body)


def _top(title: str, snapshot: Snapshot) -> Text:
    line = Text(title, "bold")
    there = snapshot.parts - len(snapshot.unreachable)
    style = BAD if snapshot.unreachable else ""
    line.append(f"  {there} of {snapshot.parts} parts answer", style)
    if snapshot.unreachable:
        line.append(f"\n{_MARK} unreachable: {', '.join(snapshot.unreachable)}", BAD)
    if snapshot.age_s is None or snapshot.age_s > STALE_S:
        age = duration(snapshot.age_s)
        line.append(f"\n{_MARK} nothing was scraped lately; the newest is {age} old", BAD)
    return line


def _faults(snapshot: Snapshot) -> Text:
    if snapshot.faults is None:
        return Text(f"broken on purpose: {NO_VALUE}", QUIET)
    if not snapshot.faults:
        return Text("broken on purpose: nothing", QUIET)
    return Text(f"{_MARK} broken on purpose: {', '.join(snapshot.faults)}", BAD)


def _queues(snapshot: Snapshot, curves: Curves, room: int) -> Table:
    table = _table("", "ready", "unack", "cons", "")
    for queue in snapshot.queues:
        curve = formatting.curve(curves.last(queue_curve(queue.name), room), room)
        table.add_row(
            Text(queue.name, _queue_style(queue)),
            _counted(queue.ready, _queue_style(queue)),
            count(queue.unacked),
            count(queue.consumers),
            Text(curve, QUIET),
        )
    return table


def _queue_style(queue: QueueSnapshot) -> str:
    """Dead letters are for people; a queue that is long, or has no consumer, is bad."""
    if not queue.ready:
        return ""
    if queue.name in ("dead-letter", "unroutable"):
        return WARN
    stuck = queue.consumers == 0 and queue.name != "retry"
    return BAD if stuck or queue.ready >= _BACKLOG else ""


def _workers(workers: Sequence[WorkerSnapshot]) -> Table:
    table = _table("", "takes", "busy", "per s", "runtime")
    for worker in workers[:WORKERS_MAX]:
        well = worker.there and worker.consuming is not False
        table.add_row(
            Text(worker.name, "" if well else BAD),
            _takes(worker),
            f"{count(worker.in_flight)}/{count(worker.places)}",
            rate(worker.per_s),
            duration(worker.runtime_s),
        )
    if len(workers) > WORKERS_MAX:
        table.add_row(Text(f"+ {len(workers) - WORKERS_MAX} more", QUIET))
    if not workers:
        table.add_row(NO_VALUE)
    return table


def _takes(worker: WorkerSnapshot) -> Text:
    if not worker.there:
        return Text(f"{_MARK} unreachable", BAD)
    if worker.consuming is None:
        return Text(NO_VALUE)
    return Text("yes", GOOD) if worker.consuming else Text(f"{_MARK} no", BAD)


def _flow(snapshot: Snapshot, curves: Curves, room: int) -> Table:
    table = _pairs()
    detour = any(value > 0 for way, value in snapshot.accepted.items() if way != "queue")
    table.add_row("scraper", _busy(snapshot.accepted, WARN if detour else ""))
    broker = {
        "in": snapshot.received,
        "done": snapshot.acknowledged,
        "again": snapshot.redelivered,
    }
    table.add_row("broker", _spaced(*(f"{name} {rate(value)}" for name, value in broker.items())))
    done = Text(f"{rate(total(snapshot.effects))}  ")
    table.add_row("effects", done.append(_curve(curves, EFFECTS_CURVE, room)))
    table.add_row("retries", _busy(snapshot.retries, WARN))
    dead = {name: value for name, value in snapshot.dead.items() if value > 0}
    given_up = _spaced(*(f"{name} {count(value)}" for name, value in sorted(dead.items())))
    given_up.append("  in all" if dead else f"{count(total(snapshot.dead))} in all")
    given_up.stylize(WARN if dead else "")
    table.add_row("dead", given_up)
    table.add_row("outbox", _outbox(snapshot))
    return table


def _outbox(snapshot: Snapshot) -> Text:
    text = _spaced(
        f"{count(snapshot.waiting)} waiting",
        f"{count(snapshot.refused)} refused",
    )
    if snapshot.oldest_s:
        text.append(f"  oldest {duration(snapshot.oldest_s)}")
    text.stylize(WARN if snapshot.waiting or snapshot.refused else "")
    return text


def _promises(snapshot: Snapshot, curves: Curves, room: int) -> Group:
    bound = next((each.goal for each in snapshot.objectives if each.in_seconds), None)
    times = (
        _time("mean", snapshot.mean_s, bound, BAD),
        _time("p50", snapshot.p50_s, bound, WARN),
        _time("p99", snapshot.p99_s, bound, WARN),
    )
    latency = Text("  ").join(times)
    table = _table("", "now", "goal", "budget")
    for objective in snapshot.objectives:
        style = {True: GOOD, False: BAD, None: QUIET}[objective.kept]
        mark = f"{_MARK} " if objective.kept is False else ""
        shown = duration if objective.in_seconds else share
        value = Text(f"{mark}{shown(objective.value)}", style)
        goal = Text(shown(objective.goal), QUIET)
        table.add_row(objective.name, value, goal, _budget(objective))
    return Group(latency, _curve(curves, MEAN_CURVE, room), table)


def _time(name: str, value: float | None, bound: float | None, style: str) -> Text:
    """A time, marked if it is over the bound for the mean."""
    slow = value is not None and bound is not None and value >= bound
    mark = f" {_MARK}" if slow else ""
    return Text.assemble((name, QUIET), (f" {duration(value)}{mark}", style if slow else ""))


def _budget(promise: ObjectiveSnapshot) -> Text:
    """What is left of the error budget; a mean has none."""
    if promise.in_seconds:
        return Text("")
    if promise.left is not None and promise.left < 0:
        return Text(f"{_MARK} none", BAD)
    return Text(share(promise.left))


def _alarms(snapshot: Snapshot) -> RenderableType:
    if not snapshot.alerts:
        return Text("none", QUIET)
    lines = [
        Text(
            f"{_MARK if alert.firing else ' '} {alert.name}, {alert.severity}, "
            f"{'fires' if alert.firing else 'pending'} for {duration(alert.for_s)}",
            BAD if alert.firing else WARN,
        )
        for alert in snapshot.alerts[:ALERTS_MAX]
    ]
    if len(snapshot.alerts) > ALERTS_MAX:
        lines.append(Text(f"  + {len(snapshot.alerts) - ALERTS_MAX} more", QUIET))
    return Group(*lines)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=QUIET)
    table.add_column(first, no_wrap=True)
    for name in others:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _pairs() -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(style=QUIET, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _counted(value: float | None, style: str) -> Text:
    mark = f"{_MARK} " if style == BAD else ""
    return Text(f"{mark}{count(value)}", style)


def _busy(rates: Mapping[str, float], style: str) -> Text:
    """The rates that are not 0, in a style; else the plain sum."""
    named = [f"{name} {rate(value)}" for name, value in sorted(rates.items()) if value > 0]
    if not named:
        return Text(rate(total(rates)))
    text = _spaced(*named)
    text.stylize(style)
    return text


def _spaced(*parts: str) -> Text:
    return Text("  ".join(parts))


def _curve(curves: Curves, name: str, room: int) -> Text:
    return Text(formatting.curve(curves.last(name, room), room).lstrip(), QUIET, no_wrap=True)
