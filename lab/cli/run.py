"""The commands that run experiments and show what they found: `lab run`, `lab report`."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.errors import CannotRun
from lab.experiment import season
from lab.experiment.runs import RUNS
from lab.history.log import FILE
from lab.monitoring import watch
from lab.report import conclude as reporting
from lab.substrates.local import Local
from lab.substrates.local.instance import Instance
from lab.substrates.local.keeper import run_guarded
from lab.substrates.protocol import Plan

EXIT_CODES = {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.UNKNOWN: 2}

_out = Console(highlight=False, soft_wrap=True)


def run(
    seed: Annotated[int, typer.Option(help="The same seed gives the same season and counts.")] = 7,
    matches: Annotated[int, typer.Option(min=40, max=20_000, help="In the season.")] = 1040,
    scrapes: Annotated[int, typer.Option(min=1, max=500, help="As the season goes by.")] = 5,
    workers: Annotated[int, typer.Option(min=1, max=16, help="Worker processes.")] = 2,
    concurrency: Annotated[int, typer.Option(min=1, max=64, help="Pool children of each.")] = 2,
    page_delay_ms: Annotated[
        int, typer.Option(min=0, max=10_000, help="The league site's answer takes this long.")
    ] = 100,
    latency_ms: Annotated[
        float | None,
        typer.Option(
            min=1,
            help="The objective for the mean latency, publish to commit.",
            show_default="that of lab/slo/slo.yaml",
        ),
    ] = None,
    monitoring: Annotated[
        bool, typer.Option(help="Run Prometheus too, and compare its counts with the ledger's.")
    ] = True,
) -> None:
    """Run a season through the real pipeline, account for every message, and judge.

    Starts everything, and leaves nothing but the run's folder in `.runs/`. Exit code: 0 valid,
    1 invalid, 2 unknown or could not run.
    """
    plan = Plan(
        seed=seed,
        matches=matches,
        workers=workers,
        concurrency=concurrency,
        page_delay_ms=page_delay_ms,
        monitoring=watch.monitoring() if monitoring else None,
    )
    instance = Instance.named(f"run-{secrets.token_hex(4)}")

    def work() -> int:
        local = Local(instance, _out.print)
        audit = season.run(
            local,
            plan,
            scrapes=scrapes,
            objectives={} if latency_ms is None else {LATENCY_MEAN: latency_ms},
            console=_out,
        )
        return EXIT_CODES[audit.verdict]

    raise typer.Exit(run_guarded(work, instance))


def report(
    folder: Annotated[
        Path, typer.Argument(help="A run's folder.", show_default=".runs/latest")
    ] = RUNS / "latest",
) -> None:
    """Judge a finished run again: print the verdict, write verdict.json and report.html anew.

    Exit code: 0 valid, 1 invalid, 2 unknown.
    """
    if not (folder / FILE).exists():
        raise CannotRun(f"{folder} holds no {FILE}: name the folder of a run, as in .runs/")
    audit = reporting.conclude(folder)
    reporting.show(audit, _out, folder)
    raise typer.Exit(EXIT_CODES[audit.verdict])
