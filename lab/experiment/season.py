"""The main job: a season goes by, is scraped now and then, and every message is accounted for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

from rich.console import Console

from lab.checker.check import Audit
from lab.checker.cross_check import compare
from lab.clients.prometheus.client import Prometheus
from lab.errors import LabError
from lab.experiment.lab import Lab
from lab.experiment.runs import RUNS
from lab.experiment.session import session
from lab.report import conclude
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate
from system.contract.submission import Way

Say = Callable[[str], None]


def run(
    substrate: Substrate,
    plan: Plan,
    *,
    scrapes: int,
    objectives: Mapping[str, float | None] | None = None,
    name: str = "season",
    console: Console,
    runs: Path = RUNS,
) -> Audit:
    """Run a season through the pipeline and check it.

    Args:
        scrapes: how often the site is scraped, from before the season's first match to after its
            last one.
        objectives: of the run instead of the usual ones; see `lab.experiment.session`.

    Raises:
        LabError: the system did not start.
    """
    console.print(
        f"A season of {plan.matches} matches, scraped {scrapes} times, {plan.workers} workers"
        f" (seed {plan.seed})."
    )
    folder: Path | None = None
    try:
        with session(name, substrate, plan, runs=runs, objectives=objectives) as lab:
            folder = lab.folder
            observe(lab, scrapes, console.print)
            lab.finish()
    except BaseException:
        if folder is not None:
            with suppress(LabError):  # whatever ended the lab, its run gets a verdict if it can
                conclude.conclude(folder)
        raise
    audit = conclude.conclude(folder)
    conclude.show(audit, console, folder)
    return audit


def observe(lab: Lab, scrapes: int, say: Say) -> None:
    """Let the season go by, and check it. What cuts it short leaves the verdict unknown.

    Args:
        scrapes: how often the site is scraped.
        say: called with a line for people about each of them.
    """
    with lab.checking("the season went by"):
        _go_by(lab, scrapes, say)
        _compare_ways(lab)
        with lab.checking("the metrics agree with the ledger"):
            _compare_accounts(lab)


def _go_by(lab: Lab, scrapes: int, say: Say) -> None:
    for index, moment in enumerate(lab.season.moments(scrapes)):
        before = len(lab.ledger.accepted)
        lab.scrape(moment, index)
        lab.send_foreign(index)
        settled = lab.settle()
        accepted = len(lab.ledger.accepted) - before
        say(
            f"{moment:%d %b %Y %H:%M} UTC: {accepted} messages accepted,"
            f" {len(lab.ledger.waiting)} still waiting"
        )
        if not settled:
            raise LabError("messages were still waiting when their time was over")


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
