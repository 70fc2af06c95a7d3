"""The main job: a season goes by, is scraped now and then, and every message is accounted for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rich.console import Console

from lab.checker.check import Audit
from lab.checker.cross_check import compare
from lab.clients.backend import Backend
from lab.clients.prometheus.client import Prometheus
from lab.errors import LabError
from lab.experiment.lab import Lab
from lab.experiment.runs import RUNS
from lab.experiment.session import session
from lab.experiment.timetable import Timetable, on_schedule
from lab.faults.schedule import Planned
from lab.report import conclude
from lab.substrates.abilities import Shared
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate
from lab.workload.league.fixtures import SEASON
from system.contract.submission import Way

Say = Callable[[str], None]
TABLES = "every table has the teams of its division"


def run(
    substrate: Substrate,
    plan: Plan,
    *,
    scrapes: int,
    objectives: Mapping[str, float | None] | None = None,
    faults: Sequence[Planned] = (),
    name: str = "season",
    console: Console,
    runs: Path = RUNS,
    begun: Callable[[Path], None] = lambda _: None,
) -> Audit:
    """Run a season through the pipeline and check it.

    In a lab that another process keeps, the season is that of its site.

    Args:
        scrapes: how often the site is scraped, from before the season's first match to after its
            last one.
        objectives: of the run instead of the usual ones; see `lab.experiment.session`.
        faults: strike while the season goes by; counted from its first scrape.
        begun: called with the run's folder, once there is one.

    Raises:
        LabError: the system did not start.
    """
    if not isinstance(substrate, Shared):
        console.print(_announced(plan, scrapes))
    folder: Path | None = None
    try:
        with session(name, substrate, plan, runs=runs, objectives=objectives) as lab:
            folder = lab.folder
            begun(folder)
            if isinstance(substrate, Shared):
                console.print(_announced(lab.plan, scrapes))
            observe(lab, scrapes, console.print, faults)
            lab.finish()
    except BaseException:
        if folder is not None:  # whatever ended the lab, its run gets a verdict if it can
            conclude.cut_short(folder, console)
        raise
    audit = conclude.conclude(folder)
    conclude.show(audit, console, folder)
    return audit


def _announced(plan: Plan, scrapes: int) -> str:
    return (
        f"A season of {plan.matches} matches, scraped {scrapes} times, {plan.workers} workers"
        f" (seed {plan.seed})."
    )


def observe(lab: Lab, scrapes: int, say: Say, faults: Sequence[Planned] = ()) -> None:
    """Let the season go by, and check it. What cuts it short leaves the verdict unknown.

    Args:
        scrapes: how often the site is scraped.
        say: called with a line for people about each of them.
        faults: strike meanwhile. Messages may then go round the broker, and what a killed process
            had not counted yet is not in the metrics: neither is checked.

    In a lab that others use, too, what they did is in its tables and its metrics: only what this
    run sent itself is checked.
    """
    shared = isinstance(lab.substrate, Shared)
    with lab.checking("the season went by"):
        with on_schedule(lab, faults) as timetable:
            _go_by(lab, scrapes, say, timetable)
        if shared:
            return
        if faults:
            lab.ledger.follow(lab.scraper.drain_journal)
            lab.scraper.drain()
        else:
            _compare_ways(lab)
        with lab.checking(TABLES):
            compare_tables(lab)
        if not faults:
            with lab.checking("the metrics agree with the ledger"):
                _compare_accounts(lab)


def _go_by(lab: Lab, scrapes: int, say: Say, timetable: Timetable) -> None:
    begun = time.monotonic()
    for index, moment in enumerate(lab.season.moments(scrapes)):
        before = len(lab.ledger.accepted)
        lab.scrape(moment, index)
        with timetable.held_back():
            lab.send_foreign(index)
            lab.send_as_second_sender(moment)
        settled = timetable.settle()
        accepted = len(lab.ledger.accepted) - before
        say(
            f"scrape {index + 1} of {scrapes}, as of {moment:%d %b %Y}: {accepted:,} messages"
            f" accepted, {len(lab.ledger.waiting)} still waiting"
            f"{left(time.monotonic() - begun, index + 1, scrapes)}"
        )
        if not settled:
            raise LabError("messages were still waiting when their time was over")


def left(took_s: float, done: int, of: int) -> str:
    """How long the rest takes if it goes on like this, in words; empty at the end. Pure."""
    return f"; about {took_s / done * (of - done):.0f} s left" if done < of else ""


def _compare_ways(lab: Lab) -> None:
    """Check that no message went round the broker: nothing was broken here on purpose."""
    ways = {"accepted": lab.ledger.accepted_by, "took effect": lab.ledger.effects_by}
    only_queue = all(taken.keys() <= {Way.QUEUE} for taken in ways.values())
    lab.check(
        "every message went by the queue",
        ok=only_queue if lab.ledger.effects_by else None,  # nothing was seen
        detail="; ".join(
            f"{what} by {', '.join(f'{way}: {count}' for way, count in sorted(taken.items()))}"
            for what, taken in ways.items()
        ),
    )


def compare_tables(lab: Lab) -> None:
    """Check that no table has a team which only visits its division, and that none is missing."""
    backend = Backend(lab.endpoints.api_url)
    wrong = []
    teams = lab.season.teams()
    for (league, age_group, division), own in teams.items():
        shown = {each.casefold() for each in backend.table(SEASON, age_group, league, division)}
        own = {each.casefold() for each in own}
        wrong += [f"{each} in {age_group} {division}" for each in sorted(shown - own)]
        wrong += [f"{each} not in {age_group} {division}" for each in sorted(own - shown)]
    lab.check(
        TABLES,
        ok=not wrong,
        detail=f"{len(teams)} tables" + "".join(f"; {each}" for each in wrong[:5]),
    )


def _compare_accounts(lab: Lab) -> None:
    """Check that the system's own metrics have the ledger's numbers."""
    if lab.endpoints.prometheus_url is None:
        return
    with Prometheus(lab.endpoints.prometheus_url) as prometheus:
        lab.ledger.look_at_dead_letters()
        accounts = compare(lab.ledger, prometheus)
    lab.check(
        "the metrics agree with the ledger",
        ok=all(each.agrees for each in accounts),
        detail="; ".join(map(str, accounts)),
    )
