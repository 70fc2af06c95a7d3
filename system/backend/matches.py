"""`python -m system.backend matches`: look at and mend what only a person can decide."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated

import psycopg
import typer
from rich.console import Console
from rich.table import Table

from system import settings
from system.backend import operations
from system.backend.operations import LISTED_MAX, OperationError
from system.console_help import WholeHelp
from system.errors import SettingsError
from system.settings import DatabaseSettings

CONNECT_S = 5
STATEMENT_MS = 30_000

cli = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    cls=WholeHelp,
    help="Matches that may be one, and matches that nothing changes any more. Needs"
    " MISSING_TABLE_DATABASE_URL. Every change is recorded in the table interventions.",
)
_Reason = Annotated[str, typer.Option(help="Why; kept with the change.")]


@cli.command()
def duplicates() -> None:
    """List the matches that may be one, by day."""
    with _connected() as connection:
        found = operations.duplicates(connection)
    if not found:
        typer.echo("no match may be another one")
        return
    table = Table("id", "number", "day", "age", "teams", title="Matches that may be one")
    for pair in found:
        table.add_row(str(pair.id), pair.number, str(pair.day), pair.age_group, pair.teams)
        table.add_row(
            str(pair.other_id),
            pair.other_number,
            str(pair.other_day),
            pair.age_group,
            pair.other_teams,
            end_section=True,
        )
    Console().print(table)
    if len(found) == LISTED_MAX:
        typer.echo(f"these are the first {LISTED_MAX}; there may be more")
    typer.echo("two of them are one: python -m system.backend matches merge KEEP OTHER --reason …")


@cli.command()
def merge(
    keep: Annotated[int, typer.Argument(help="Id of the match that stays.")],
    other: Annotated[int, typer.Argument(help="Id of the match that becomes a part of it.")],
    reason: _Reason,
) -> None:
    """Make one match of two; each field shows what was said last of either."""
    with _connected() as connection:
        operations.join(connection, keep, other, reason)
    typer.echo(f"match {other} is match {keep} now")


@cli.command()
def unfreeze(
    match: Annotated[int, typer.Argument(help="Id of the match.")], reason: _Reason
) -> None:
    """Let a match change again whose newest observation is from the future."""
    with _connected() as connection:
        ahead_s = operations.unfreeze(connection, match, reason, datetime.now(UTC))
    typer.echo(
        f"match {match} was frozen by an observation {ahead_s} s ahead of now; the next one that is"
        " newer than now changes it again"
    )


@contextmanager
def _connected() -> Iterator[psycopg.Connection]:
    try:
        url = settings.load(DatabaseSettings).database_url.get_secret_value()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    try:
        with psycopg.connect(
            url,
            connect_timeout=CONNECT_S,
            options=f"-c statement_timeout={STATEMENT_MS}",
            application_name="operator",
            autocommit=True,
        ) as connection:
            yield connection
    except (OperationError, psycopg.Error) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
