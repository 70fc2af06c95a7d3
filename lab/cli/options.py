"""What several commands have, written once: options, and where they print."""

from __future__ import annotations

import os
from typing import Annotated

import typer
from rich.console import Console

from lab.substrates.plan import BROKERS
from lab.substrates.provider import CONTEXT

out = Console(highlight=False, soft_wrap=True)

COULD_NOT_RUN = 2
"""The exit code of a command that could not do what it was asked for."""

LabName = Annotated[str, typer.Option("--name", help="Which lab; several can run side by side.")]
AnyLab = Annotated[
    str | None,
    typer.Option("--name", help="Which lab.", show_default="default, or the only one"),
]
SubstrateName = Annotated[str, typer.Option("--substrate", help="Where the system runs.")]


def _remember(context: str | None) -> str | None:
    """Set it as the setting that it stands for, which programs started from here read, too."""
    if context:
        os.environ[CONTEXT] = context
    return context


ContextName = Annotated[
    str | None,
    typer.Option(
        "--context",
        callback=_remember,
        help="Which cluster, on kubernetes: one of `kubectl config get-contexts`.",
        show_default=f"${CONTEXT}; never the current one",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs.")]
Seed = Annotated[int, typer.Option(help="The same seed gives the same season and counts.")]
Workers = Annotated[int, typer.Option(min=0, max=16, help="Worker processes.")]
Concurrency = Annotated[int, typer.Option(min=1, max=64, help="Pool children of each worker.")]


def _one_or_three(nodes: int) -> int:
    if nodes not in BROKERS:
        raise typer.BadParameter(f"{nodes}: there can be 1, or 3 that are a cluster")
    return nodes


Brokers = Annotated[
    int,
    typer.Option(callback=_one_or_three, help="Nodes of RabbitMQ: 1, or 3 that are a cluster."),
]
PageDelay = Annotated[
    int, typer.Option("--page-delay-ms", min=0, max=10_000, help="Of each page of the site.")
]
Monitoring = Annotated[
    bool, typer.Option(help="Run Prometheus, Alertmanager and the exporters too.")
]
