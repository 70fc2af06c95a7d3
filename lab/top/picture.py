"""Draws a snapshot for a terminal. Pure: values in, something that Rich can print out.

What colour says, words or signs say too: `!` marks what is not as it should be.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Group, RenderableType
from rich.rule import Rule
from rich.table import Table
from rich.text import Text

from lab.top import words
from lab.top.snapshot import (
    EFFECTS_CURVE,
    MEAN_CURVE,
    History,
    Promise,
    Queue,
    Snapshot,
    Worker,
    queue_curve,
    total,
)

NARROW = 72
"""Below so many columns, everything stands in one."""
WORKERS_MAX = 8
ALARMS_MAX = 6
STALE_S = 5.0
"""A lab is scraped every second; older than this, the picture is of the past."""
BAD, WARN, GOOD, QUIET = "bold red", "yellow", "green", "dim"
_MARK = "!"
_BACKLOG = 1000


def picture(title: str, seen: Snapshot, past: History, width: int) -> Group:
    """The whole picture.

    Args:
        title: which lab, and when.
        seen: the moment.
        past: what came before it, and the moment itself.
        width: columns of the terminal.
    """
    halves = 1 if width < NARROW else 2
    half = (width - 2 * (halves - 1)) // halves
    room = max(6, half - 32)
    blocks = [
        _headed("queues", _queues(seen, past, room)),
        _headed("workers", _workers(seen.workers)),
        _headed("messages each second", _flow(seen, past, half - 20)),
        _headed("latency and objectives", _promises(seen, past, half)),
    ]
    grid = Table.grid(padding=(0, 2, 0, 0), expand=True)
    for _ in range(halves):
        grid.add_column(ratio=1)
    for at in range(0, len(blocks), halves):
        grid.add_row(*blocks[at : at + halves])
    return Group(_top(title, seen), _faults(seen), grid, _headed("alerts", _alarms(seen)))


def trouble(title: str, text: str) -> Text:
    """Shown while nobody can be asked."""
    return Text.assemble((title, "bold"), "\n", (f"{_MARK} {text}", BAD))


def _headed(title: str, body: RenderableType) -> Group:
    return Group(Rule(title, align="left", style=QUIET), body)


def _top(title: str, seen: Snapshot) -> Text:
    line = Text(title, "bold")
    there = seen.parts - len(seen.away)
    line.append(f"  {there} of {seen.parts} parts answer", "" if not seen.away else BAD)
    if seen.away:
        line.append(f"\n{_MARK} away: {', '.join(seen.away)}", BAD)
    if seen.age_s is None or seen.age_s > STALE_S:
        age = words.duration(seen.age_s)
        line.append(f"\n{_MARK} nothing was scraped lately; the newest is {age} old", BAD)
    return line


def _faults(seen: Snapshot) -> Text:
    if seen.faults is None:
        return Text(f"broken on purpose: {words.UNTOLD}", QUIET)
    if not seen.faults:
        return Text("broken on purpose: nothing", QUIET)
    return Text(f"{_MARK} broken on purpose: {', '.join(seen.faults)}", BAD)


def _queues(seen: Snapshot, past: History, room: int) -> Table:
    table = _table("", "ready", "unack", "cons", "")
    for each in seen.queues:
        curve = words.curve(past.last(queue_curve(each.name), room), room)
        table.add_row(
            Text(each.name, _queue_style(each)),
            _counted(each.ready, _queue_style(each)),
            words.count(each.unacked),
            words.count(each.consumers),
            Text(curve, QUIET),
        )
    return table


def _queue_style(queue: Queue) -> str:
    """Dead letters are for people; a queue that is long, or has no one to take from it, is bad."""
    if not queue.ready:
        return ""
    if queue.name == "dead-letter":
        return WARN
    stuck = queue.consumers == 0 and queue.name != "retry"
    return BAD if stuck or queue.ready >= _BACKLOG else ""


def _workers(workers: Sequence[Worker]) -> Table:
    table = _table("", "takes", "busy", "per s", "runtime")
    for each in workers[:WORKERS_MAX]:
        well = each.there and each.consuming is not False
        table.add_row(
            Text(each.name, "" if well else BAD),
            _takes(each),
            f"{words.count(each.in_flight)}/{words.count(each.places)}",
            words.rate(each.per_s),
            words.duration(each.runtime_s),
        )
    if len(workers) > WORKERS_MAX:
        table.add_row(Text(f"+ {len(workers) - WORKERS_MAX} more", QUIET))
    if not workers:
        table.add_row(words.UNTOLD)
    return table


def _takes(worker: Worker) -> Text:
    if not worker.there:
        return Text(f"{_MARK} away", BAD)
    if worker.consuming is None:
        return Text(words.UNTOLD)
    return Text("yes", GOOD) if worker.consuming else Text(f"{_MARK} no", BAD)


def _flow(seen: Snapshot, past: History, room: int) -> Table:
    table = _pairs()
    detour = any(value > 0 for way, value in seen.accepted.items() if way != "queue")
    table.add_row("scraper", _busy(seen.accepted, WARN if detour else ""))
    table.add_row(
        "broker",
        _spaced(
            f"in {words.rate(seen.received)}",
            f"done {words.rate(seen.acknowledged)}",
            f"again {words.rate(seen.redelivered)}",
        ),
    )
    done = Text(f"{words.rate(total(seen.effects))}  ")
    table.add_row("effects", done.append(_curve(past, EFFECTS_CURVE, room)))
    table.add_row("retries", _busy(seen.retries, WARN))
    dead = {name: value for name, value in seen.dead.items() if value > 0}
    given_up = _spaced(*(f"{name} {words.count(value)}" for name, value in sorted(dead.items())))
    given_up.append("  in all" if dead else f"{words.count(total(seen.dead))} in all")
    given_up.stylize(WARN if dead else "")
    table.add_row("dead", given_up)
    table.add_row("outbox", _outbox(seen))
    return table


def _outbox(seen: Snapshot) -> Text:
    text = _spaced(f"{words.count(seen.waiting)} waiting", f"{words.count(seen.refused)} refused")
    if seen.oldest_s:
        text.append(f"  oldest {words.duration(seen.oldest_s)}")
    text.stylize(WARN if seen.waiting or seen.refused else "")
    return text


def _promises(seen: Snapshot, past: History, room: int) -> Group:
    bound = next((each.goal for each in seen.promises if each.in_seconds), None)
    latency = Text("  ").join(
        (
            _time("mean", seen.mean_s, bound, BAD),
            _time("p50", seen.p50_s, bound, WARN),
            _time("p99", seen.p99_s, bound, WARN),
        )
    )
    table = _table("", "now", "goal", "budget")
    for each in seen.promises:
        style = {True: GOOD, False: BAD, None: QUIET}[each.kept]
        mark = f"{_MARK} " if each.kept is False else ""
        value, goal = (
            (words.duration(each.value), words.duration(each.goal))
            if each.in_seconds
            else (words.share(each.value), words.share(each.goal))
        )
        table.add_row(each.name, Text(f"{mark}{value}", style), Text(goal, QUIET), _budget(each))
    return Group(latency, _curve(past, MEAN_CURVE, room), table)


def _time(name: str, value: float | None, bound: float | None, style: str) -> Text:
    """A time, marked where it is over the bound for the mean."""
    slow = value is not None and bound is not None and value >= bound
    mark = f" {_MARK}" if slow else ""
    return Text.assemble((name, QUIET), (f" {words.duration(value)}{mark}", style if slow else ""))


def _budget(promise: Promise) -> Text:
    """What is left of it; a mean has none of its own."""
    if promise.in_seconds:
        return Text("")
    if promise.left is not None and promise.left < 0:
        return Text(f"{_MARK} none", BAD)
    return Text(words.share(promise.left))


def _alarms(seen: Snapshot) -> RenderableType:
    if not seen.alarms:
        return Text("none", QUIET)
    lines = [
        Text(
            f"{_MARK if each.firing else ' '} {each.name}, {each.severity}, "
            f"{'fires' if each.firing else 'pending'} for {words.duration(each.for_s)}",
            BAD if each.firing else WARN,
        )
        for each in seen.alarms[:ALARMS_MAX]
    ]
    if len(seen.alarms) > ALARMS_MAX:
        lines.append(Text(f"  + {len(seen.alarms) - ALARMS_MAX} more", QUIET))
    return Group(*lines)


def _table(first: str, *others: str) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), pad_edge=False, header_style=QUIET)
    table.add_column(first, no_wrap=True)
    for each in others:
        table.add_column(each, justify="right", no_wrap=True)
    return table


def _pairs() -> Table:
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(style=QUIET, no_wrap=True)
    table.add_column(overflow="fold")
    return table


def _counted(value: float | None, style: str) -> Text:
    mark = f"{_MARK} " if style == BAD else ""
    return Text(f"{mark}{words.count(value)}", style)


def _busy(rates: Mapping[str, float], style: str) -> Text:
    """The rates that are not 0, in a style; else the plain sum."""
    named = [f"{name} {words.rate(value)}" for name, value in sorted(rates.items()) if value > 0]
    if not named:
        return Text(words.rate(total(rates)))
    text = _spaced(*named)
    text.stylize(style)
    return text


def _spaced(*parts: str) -> Text:
    return Text("  ".join(parts))


def _curve(past: History, name: str, room: int) -> Text:
    return Text(words.curve(past.last(name, room), room).lstrip(), QUIET, no_wrap=True)
