"""The backend: `python -m system.backend [serve|migrate|matches …]`.

Exit codes: 0 success, 1 failed, 2 a setting is missing or wrong.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, TypeVar

import typer

from system import garbage, settings, telemetry, tls
from system.backend import matches, migrations
from system.console_help import WholeHelp
from system.errors import DatabaseUnavailable, SettingsError
from system.settings import BackendSettings, described

SHUTDOWN_S = 10
T = TypeVar("T")

_EPILOG = "\n\n".join(
    [
        "Settings, from the environment:",
        *(
            f"{name} [{default}]: {meaning}"
            for name, default, meaning in described(BackendSettings)
        ),
        "Exit codes: 0 success, 1 failed, 2 a setting is missing or wrong",
    ]
)

cli = typer.Typer(
    add_completion=False,
    no_args_is_help=False,
    help="The Missing Table backend. Without a command, it serves.",
    epilog=_EPILOG,
    rich_markup_mode=None,
    cls=WholeHelp,
)
cli.add_typer(matches.cli, name="matches")


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
    """Serve the API and the pages until stopped; by https if the settings name a certificate."""
    # Loaded here: a migration needs none of it, and it takes a second.
    import uvicorn

    from system.backend import app

    read = _settings()
    context = _or_exit(lambda: tls.server(read))
    application = app.create(read)
    garbage.spare_what_is_loaded()
    uvicorn.run(
        application,
        host=host,
        port=port,
        http=application.state.protocol,
        ssl_context_factory=None if context is None else lambda *_: context,
        ws="none",
        access_log=False,  # /metrics counts requests; bodies and tokens are never logged
        log_config=None,
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
    read = _or_exit(lambda: settings.load(BackendSettings))
    telemetry.configure("backend", read.log_level)
    return read


def _or_exit(find: Callable[[], T]) -> T:
    """What `find` returns; wrong settings become their words and exit code 2."""
    try:
        return find()
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    cli()
