"""The command that starts a lab and leaves it running: `lab up`."""

from __future__ import annotations

import stat
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from lab.cli.options import (
    Concurrency,
    LabName,
    Monitoring,
    PageDelay,
    Seed,
    SubstrateName,
    Workers,
    out,
)
from lab.errors import CannotRun
from lab.faults import registry as faults
from lab.monitoring import watch
from lab.monitoring.scrape import RemoteWrite
from lab.substrates import registry
from lab.substrates.plan import Link, Plan, from_json
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Kept

WEBHOOK = "MISSING_TABLE_WEBHOOK_URL"
REMOTE_WRITE_URL = "MISSING_TABLE_REMOTE_WRITE_URL"
REMOTE_WRITE_USER = "MISSING_TABLE_REMOTE_WRITE_USER"
REMOTE_WRITE_PASSWORD_FILE = "MISSING_TABLE_REMOTE_WRITE_PASSWORD_FILE"  # noqa: S105 - a name

PLAN_BYTES_MAX = 16 * 1024 * 1024


class Extra(StrEnum):
    """What runs only if it is asked for."""

    FLOWER = "flower"


def up(
    name: LabName = "default",
    seed: Seed = 7,
    matches: Annotated[int, typer.Option(min=1, help="In the season.")] = 1000,
    workers: Workers = 2,
    concurrency: Concurrency = 2,
    page_delay_ms: PageDelay = 100,
    monitoring: Monitoring = True,
    breakable: Annotated[
        bool,
        typer.Option(help="Let every link run through a relay, so that faults can break it."),
    ] = False,
    extras: Annotated[
        list[Extra] | None,
        typer.Option("--with", help="Run this too. Flower makes the workers send events."),
    ] = None,
    webhook: Annotated[
        str | None, typer.Option(envvar=WEBHOOK, help="Where Alertmanager sends alerts.")
    ] = None,
    remote_write_url: Annotated[
        str | None,
        typer.Option(envvar=REMOTE_WRITE_URL, help="Where Prometheus sends its series on to."),
    ] = None,
    remote_write_user: Annotated[
        str | None, typer.Option(envvar=REMOTE_WRITE_USER, help="The name to log in with there.")
    ] = None,
    remote_write_password_file: Annotated[
        Path | None,
        typer.Option(
            envvar=REMOTE_WRITE_PASSWORD_FILE,
            help="A file that only you can read, with the password or token.",
        ),
    ] = None,
    substrate: SubstrateName = registry.DEFAULT,
    foreground: Annotated[bool, typer.Option(help="Stay attached; Ctrl-C ends the lab.")] = False,
    show_secrets: Annotated[bool, typer.Option(help="Print the passwords too.")] = False,
) -> None:
    """Start the whole system, and leave it running."""
    provider = registry.keeping(substrate)
    chosen = frozenset(extras or ())
    remote = sent_on(name, remote_write_url, remote_write_user, remote_write_password_file)
    plan = Plan(
        seed=seed,
        matches=matches,
        workers=workers,
        concurrency=concurrency,
        page_delay_ms=page_delay_ms,
        monitoring=watch.monitoring(webhook_url=webhook, remote_write=remote)
        if monitoring
        else None,
        flower=Extra.FLOWER in chosen,
        relayed=frozenset(Link) if breakable else frozenset(),
    )
    if foreground:
        raise typer.Exit(provider.hold(name, plan, out.print, faults.striker))
    lab = provider.start(name, plan, out.print)
    if lab.endpoints is not None:
        _show(lab, lab.endpoints)
        if show_secrets:
            _show_secrets(lab.endpoints)
    named = "" if name == "default" else f" --name {name}"
    out.print(f"\nLook at it with `lab status{named}`, end it with `lab down{named}`.")


def sent_on(
    name: str, url: str | None, user: str | None, password_file: Path | None
) -> RemoteWrite | None:
    """Where Prometheus sends its series on to; None if nothing was said about it.

    Args:
        name: of the lab; becomes a label of what is sent, so that labs can be distinguished.

    Raises:
        CannotRun: only some of it was said, or others can read the password.
    """
    if not (url or user or password_file):
        return None
    if not (url and user and password_file):
        raise CannotRun(
            "remote write needs all three or none: --remote-write-url, --remote-write-user,"
            f" --remote-write-password-file (or {REMOTE_WRITE_URL}, {REMOTE_WRITE_USER},"
            f" {REMOTE_WRITE_PASSWORD_FILE})"
        )
    at = urlsplit(url)
    if at.scheme not in ("http", "https") or not at.hostname or at.password:
        raise CannotRun(
            "--remote-write-url must be https://host/path, without a password: that is in the file"
        )
    try:
        mode = password_file.stat().st_mode
    except OSError as error:
        raise CannotRun(f"--remote-write-password-file {password_file}: {error.strerror}") from None
    if not stat.S_ISREG(mode) or mode & 0o077:
        raise CannotRun(
            f"--remote-write-password-file {password_file} must be a file that only you can read:"
            f" chmod 600 {password_file}"
        )
    labels = {"cluster": f"local-{name}", "env": "lab"}
    return RemoteWrite(url, user, str(password_file.absolute()), labels)


def hold(
    name: Annotated[str, typer.Argument(help="Which lab.")],
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Hold a lab in the foreground; reads its plan from standard input. `lab up` starts this."""
    plan = from_json(sys.stdin.buffer.read(PLAN_BYTES_MAX))
    provider = registry.keeping(substrate)
    raise typer.Exit(provider.hold(name, plan, out.print, faults.striker))


def _show(lab: Kept, ends: Endpoints) -> None:
    out.print(f"\n[bold]The lab {lab.name!r} is up.[/bold]")
    answers = {
        "league site": ends.site_url,
        "backend API": ends.api_url,
        "RabbitMQ": f"{ends.management_url}  (user admin)",
        "Prometheus": ends.prometheus_url,
        "Alertmanager": ends.alertmanager_url,
        "Flower": ends.flower_url,
        **lab.places,
    }
    for what, place in answers.items():
        if place:
            out.print(f"  {what:12} {place}")


def _show_secrets(ends: Endpoints) -> None:
    out.print(f"  API token    {ends.api_token}")
    out.print(f"  results      {ends.results_url}")
    out.print(f"  database     {ends.database_url}")
    for user, url in ends.broker_urls.items():
        out.print(f"  broker       {url}  ({user})")
