"""The command `lab run`: the main job."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from lab.checker.measures import LATENCY_MEAN
from lab.cli.options import (
    Brokers,
    Concurrency,
    ContextName,
    Monitoring,
    PageDelay,
    Seed,
    SubstrateName,
    out,
)
from lab.experiment import season
from lab.faults import schedule
from lab.monitoring import watch
from lab.room import door
from lab.room.actions import Target
from lab.substrates import registry
from lab.substrates.plan import Link, Plan
from lab.substrates.protocol import Substrate
from lab.substrates.provider import Keeps


def run(
    seed: Seed = 7,
    matches: Annotated[int, typer.Option(min=40, max=20_000, help="In the season.")] = 1040,
    scrapes: Annotated[int, typer.Option(min=1, max=500, help="As the season goes by.")] = 5,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
    concurrency: Concurrency = 2,
    brokers: Brokers = 1,
    page_delay_ms: PageDelay = 100,
    latency_ms: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="The objective for the mean latency, publish to commit.",
            show_default="that of lab/slo/slo.yaml",
        ),
    ] = None,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="Break something: broker-killed@20s+5s strikes after 20 s. Repeatable."),
    ] = None,
    monitoring: Monitoring = True,
    substrate: SubstrateName = registry.DEFAULT,
    context: ContextName = None,
) -> None:
    """Run a season through a lab of its own, and judge what became of it.

    Every message is accounted for.

    Starts everything, and leaves nothing but the run's folder in `.runs/`. With monitoring,
    Prometheus' counts are compared with the ledger's, and a control room shows the run while it
    goes on: open the address that is printed first. With faults, messages may be late: the mean
    latency is no objective then, unless you set one. Exit code: 0 valid, 1 invalid, 2 unknown or
    could not run.
    """
    faults = schedule.parse(fault or ())
    asked: dict[str, float | None] = {LATENCY_MEAN: None} if faults else {}
    if latency_ms is not None:
        asked[LATENCY_MEAN] = latency_ms
    plan = Plan(
        seed=seed,
        matches=matches,
        workers=workers,
        concurrency=concurrency,
        brokers=brokers,
        page_delay_ms=page_delay_ms,
        monitoring=watch.monitoring() if monitoring else None,
        relayed=frozenset(Link) if any(each.breaks_a_link for each in faults) else frozenset(),
    )

    provider = registry.find(substrate)

    def work(place: Substrate) -> int:
        with ExitStack() as stack:
            begun: Callable[[Path], None] = _nobody
            if monitoring and isinstance(provider, Keeps):
                target = Target(lab, substrate)
                room = stack.enter_context(door.opened(target, read_only=True))
                out.print(f"Watch it meanwhile: {room.url}", markup=False)
                begun = room.end_with
            audit = season.run(
                place,
                plan,
                scrapes=scrapes,
                objectives=asked,
                faults=faults,
                console=out,
                begun=begun,
            )
        return audit.verdict.exit_code

    lab = f"run-{secrets.token_hex(4)}"
    raise typer.Exit(provider.guarded(lab, work, out.print))


def _nobody(folder: Path) -> None:
    """Nobody wants to see the report."""
