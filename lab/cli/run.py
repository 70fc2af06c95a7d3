"""The command `lab run`: the main job."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from lab.checker.measures import LATENCY_MEAN
from lab.cli.options import Concurrency, Monitoring, PageDelay, Seed, SubstrateName, out
from lab.experiment import season
from lab.monitoring import watch
from lab.substrates import registry
from lab.substrates.plan import Plan
from lab.substrates.protocol import Substrate


def run(
    seed: Seed = 7,
    matches: Annotated[int, typer.Option(min=40, max=20_000, help="In the season.")] = 1040,
    scrapes: Annotated[int, typer.Option(min=1, max=500, help="As the season goes by.")] = 5,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
    concurrency: Concurrency = 2,
    page_delay_ms: PageDelay = 100,
    latency_ms: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="The objective for the mean latency, publish to commit.",
            show_default="that of lab/slo/slo.yaml",
        ),
    ] = None,
    monitoring: Monitoring = True,
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Run a season through the real pipeline, account for every message, and judge.

    Starts everything, and leaves nothing but the run's folder in `.runs/`. With monitoring,
    Prometheus' counts are compared with the ledger's. Exit code: 0 valid, 1 invalid, 2 unknown or
    could not run.
    """
    plan = Plan(
        seed=seed,
        matches=matches,
        workers=workers,
        concurrency=concurrency,
        page_delay_ms=page_delay_ms,
        monitoring=watch.monitoring() if monitoring else None,
    )

    def work(place: Substrate) -> int:
        audit = season.run(
            place,
            plan,
            scrapes=scrapes,
            objectives={} if latency_ms is None else {LATENCY_MEAN: latency_ms},
            console=out,
        )
        return audit.verdict.exit_code

    lab = f"run-{secrets.token_hex(4)}"
    raise typer.Exit(registry.find(substrate).guarded(lab, work, out.print))
