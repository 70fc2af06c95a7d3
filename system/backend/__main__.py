"""Serve the backend, or migrate its database: `python -m system.backend [serve|migrate]`.

Exit codes: 0 success, 1 failed, 2 a setting is missing or wrong.
"""

from __future__ import annotations

from typing import Annotated

import typer

from system import settings, telemetry
from system.backend import migrations
from system.errors import DatabaseUnavailable, SettingsError
from system.settings import BackendSettings

CONNECTIONS_MAX = 1000
SHUTDOWN_S = 10

cli = typer.Typer(add_completion=False, no_args_is_help=False, help="The Missing Table backend.")


@cli.callback(invoke_without_command=True)
def default(context: typer.Context) -> None:
    """Serve, if no command is named."""
    if context.invoked_subcommand is None:
        serve()


@cli.command()
def serve(
    host: Annotated[str, typer.Option(help="Address to listen on")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on")] = 8000,
) -> None:
    """Serve the API and the pages until stopped."""
    # Loaded here: a migration needs none of it, and it takes a second.
    import uvicorn

    from system.backend import app

    read = _settings()
    uvicorn.run(
        app.create(read),
        host=host,
        port=port,
        access_log=False,  # /metrics counts requests; bodies and tokens are never logged
        log_config=None,
        limit_concurrency=CONNECTIONS_MAX,
        timeout_graceful_shutdown=SHUTDOWN_S,
        server_header=False,
    )


@cli.command()
def migrate() -> None:
    """Bring the database to the newest schema; safe to run twice, also at the same time."""
    read = _settings()
    try:
        migrations.upgrade(read.database_url.get_secret_value())
    except DatabaseUnavailable as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(f"the database is at revision {migrations.head()}")


def _settings() -> BackendSettings:
    try:
        read = settings.load(BackendSettings)
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None
    telemetry.configure("backend", read.log_level)
    return read


if __name__ == "__main__":
    cli()
