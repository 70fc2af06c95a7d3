"""The command that starts a lab and leaves it running: `lab up`."""

from __future__ import annotations

import shlex
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

import typer

from lab.cli.addresses import addresses, lines, secrets
from lab.cli.options import (
    Brokers,
    Concurrency,
    ContextName,
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
from lab.paths import lab_command
from lab.room import door
from lab.room.actions import Target
from lab.substrates import registry
from lab.substrates.plan import Link, Plan, from_json
from lab.substrates.provider import DASHBOARDS, Beside, Say, silent

WEBHOOK = "MISSING_TABLE_WEBHOOK_URL"
REMOTE_WRITE_URL = "MISSING_TABLE_REMOTE_WRITE_URL"
REMOTE_WRITE_USER = "MISSING_TABLE_REMOTE_WRITE_USER"
REMOTE_WRITE_PASSWORD_FILE = "MISSING_TABLE_REMOTE_WRITE_PASSWORD_FILE"  # noqa: S105 - a name

PLAN_BYTES_MAX = 16 * 1024 * 1024


class Extra(StrEnum):
    """What runs only if it is asked for."""

    FLOWER = "flower"
    GRAFANA = "grafana"


def up(
    name: LabName = "default",
    seed: Seed = 7,
    matches: Annotated[int, typer.Option(min=1, help="In the season.")] = 1000,
    workers: Workers = 2,
    concurrency: Concurrency = 2,
    brokers: Brokers = 1,
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
    context: ContextName = None,
    foreground: Annotated[bool, typer.Option(help="Stay attached; Ctrl-C ends the lab.")] = False,
    show_secrets: Annotated[bool, typer.Option(help="Print the passwords too.")] = False,
) -> None:
    """Start the whole system, and leave it running."""
    provider = registry.keeping(substrate)
    chosen = frozenset(extras or ())
    remote = sent_on(name, remote_write_url, remote_write_user, remote_write_password_file)
    if Extra.GRAFANA in chosen and not monitoring:
        raise CannotRun("Grafana shows what Prometheus records: leave --no-monitoring out")
    plan = Plan(
        seed=seed,
        matches=matches,
        workers=workers,
        concurrency=concurrency,
        brokers=brokers,
        page_delay_ms=page_delay_ms,
        monitoring=watch.monitoring(webhook_url=webhook, remote_write=remote)
        if monitoring
        else None,
        flower=Extra.FLOWER in chosen,
        dashboards=watch.dashboards() if Extra.GRAFANA in chosen else None,
        relayed=frozenset(Link) if breakable else frozenset(),
    )
    if foreground:
        room = with_room(name, substrate, out.print)
        raise typer.Exit(provider.hold(name, plan, out.print, faults.striker, room))
    lab = provider.start(name, plan, out.print)
    out.print(f"\n[bold]The lab {lab.name!r} is up.[/bold]")
    found = addresses(lab)
    if lab.endpoints is not None and show_secrets:
        found |= secrets(lab.endpoints)
    for line in lines(found):
        out.print(line, markup=False)
    if lab.endpoints is not None and not lab.endpoints.grafana_url and DASHBOARDS in lab.places:
        out.print("\nThere is no Grafana here. An engine runs one beside this lab, at port 3000:")
        out.print(f"  {grafana_elsewhere(lab.places[DASHBOARDS])}", markup=False)
    out.print("")
    for line in next_steps(name):
        out.print(line, markup=False)


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


def grafana_elsewhere(folder: str) -> str:
    """How Docker runs a Grafana beside a lab, on this machine's own network.

    It is the chart's image, and runs as the user who typed this: what it has to read is in a
    folder of this user alone.
    """
    place = Path(folder).absolute()
    boards = "/var/lib/grafana-dashboards"
    given = {
        "MISSING_TABLE_DASHBOARDS": boards,
        "GF_SERVER_HTTP_ADDR": "127.0.0.1",
        "GF_AUTH_ANONYMOUS_ENABLED": "true",
    }
    mounted = {"provisioning": "/etc/grafana/provisioning", "dashboards": boards}
    words = [f"--env {name}={value}" for name, value in given.items()]
    words += [f"--volume {shlex.quote(f'{place / name}:{at}:ro')}" for name, at in mounted.items()]
    image = registry.image("grafana")
    return f'docker run --rm --network host --user "$(id -u)" {" ".join(words)} {image}'


def next_steps(name: str) -> list[str]:
    """What one can do with a lab that is up, as it can be typed. Pure but for the place."""
    named = () if name == "default" else ("--name", name)
    steps = {
        ("load", "--for", "1m"): "some work for it",
        ("season",): "a whole season goes by, and is judged",
        ("scrape",): "read the league's site once",
        ("status",): "these addresses, and every process",
        ("down",): "its end",
    }
    typed = {lab_command(*words, *named): what for words, what in steps.items()}
    width = max(map(len, typed))
    return [f"{command:{width}}  {what}" for command, what in typed.items()]


def hold(
    name: Annotated[str, typer.Argument(help="Which lab.")],
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Hold a lab in the foreground; reads its plan from standard input. `lab up` starts this."""
    plan = from_json(sys.stdin.buffer.read(PLAN_BYTES_MAX))
    provider = registry.keeping(substrate)
    room = with_room(name, substrate)
    raise typer.Exit(provider.hold(name, plan, out.print, faults.striker, room))


def with_room(name: str, substrate: str, say: Say = silent) -> Beside:
    """What keeps the address of a lab's control room for as long as the lab is kept."""

    @contextmanager
    def beside() -> Iterator[Mapping[str, str]]:
        with door.opened(Target(name, substrate)) as room:
            say(f"{door.PLACE}: {room.url}")
            yield {door.PLACE: room.url}

    return beside
