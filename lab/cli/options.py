"""What several commands have, written once: options, and where they print."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console

out = Console(highlight=False, soft_wrap=True)

COULD_NOT_RUN = 2
"""The exit code of a command that could not do what it was asked for."""

LabName = Annotated[str, typer.Option("--name", help="Which lab; several can run side by side.")]
SubstrateName = Annotated[str, typer.Option("--substrate", help="Where the system runs.")]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same season and counts.")]
Workers = Annotated[int, typer.Option(min=0, max=16, help="Worker processes.")]
Concurrency = Annotated[int, typer.Option(min=1, max=64, help="Pool children of each worker.")]
PageDelay = Annotated[
    int, typer.Option("--page-delay-ms", min=0, max=10_000, help="Of each page of the site.")
]
Monitoring = Annotated[
    bool, typer.Option(help="Run Prometheus, Alertmanager and the exporters too.")
]
