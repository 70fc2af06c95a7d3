"""What the commands of the scraper share: their errors, a moment as an option, a progress line."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn

from system.errors import PipelineError, SettingsError
from system.scraper.summary import Summary


def moment(text: str | None) -> datetime | None:
    """The value of `--now`; None if it is not given.

    Raises:
        typer.BadParameter: it is no time, or has no offset.
    """
    if text is None:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise typer.BadParameter(f"--now: {error}") from None
    if found.tzinfo is None:
        raise typer.BadParameter(f"--now: {text} has no offset; write {text}-04:00 or {text}Z")
    return found


@contextmanager
def exit_on_error() -> Iterator[None]:
    """Turn an error that stops the run into one sentence on standard error and exit code 2."""
    try:
        yield
    except SettingsError as error:
        typer.echo(f"cannot run: {error}", err=True)
        raise typer.Exit(2) from None
    except PipelineError as error:
        typer.echo(f"stopped: {error}", err=True)
        raise typer.Exit(2) from None
    except Exception as error:  # a defect; Python's own exit code 1 would say "rows refused"
        traceback.print_exc()
        raise typer.Exit(2) from error


@contextmanager
def progress() -> Iterator[Callable[[Summary], None]]:
    """A progress line while pages are read; nothing if standard error is no terminal."""
    console = Console(stderr=True)
    with Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    ) as bar:
        line = bar.add_task("reading the first page")

        def show(summary: Summary) -> None:
            bar.update(
                line,
                description=f"{summary.pages} pages, {summary.read} matches,"
                f" {summary.accepted.total()} accepted",
            )

        yield show
