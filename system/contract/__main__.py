"""The command that compares a broker with the topology: `python -m system.contract`.

The only module of this package that reaches outside of it; nothing imports it.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from system import settings, tls
from system.console_help import WholeHelp
from system.contract import topology
from system.contract.definitions import definitions
from system.contract.differences import PARTS, Difference, Repair, compare
from system.errors import PipelineError, Refused
from system.management import ManagementClient
from system.settings import TopologySettings

_EXIT_CODES = (
    "Exit codes:\n\n0  the broker holds the topology\n\n1  something differs\n\n"
    "2  could not look, or not go on: a setting, the broker, missing rights"
)
_OPTIONAL_USERS = (topology.EARLIER_SENDER, "monitor")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=WholeHelp,
    help="Compares the broker's exchanges, queues, bindings, policies and permissions with the"
    " topology, and restores what is gone. Settings come from the environment:"
    " MISSING_TABLE_MANAGEMENT_URL (of an administrator), MISSING_TABLE_CA_FILE.",
)


@app.command(epilog=f"Example:\n\npython -m system.contract check\n\n{_EXIT_CODES}")
def check() -> None:
    """Say what differs; change nothing."""
    with _broker() as (client, chosen):
        _conclude(_differences(client, chosen))


@app.command(epilog=f"Example:\n\npython -m system.contract apply\n\n{_EXIT_CODES}")
def apply() -> None:
    """Restore what is missing or was changed; say what only a person can do. May be repeated."""
    with _broker() as (client, chosen):
        for difference in _differences(client, chosen):
            if (repair := difference.repair) is not None:
                _carry_out(client, repair, difference.words)
        _conclude(_differences(client, chosen))


def _carry_out(client: ManagementClient, repair: Repair, words: str) -> None:
    try:
        client.change(repair.method, repair.path, repair.body)
    except Refused as error:  # others can be repaired all the same
        typer.echo(f"could not repair: {words}: {error}", err=True)
    else:
        typer.echo(f"repaired: {words}")


def _conclude(left: list[Difference]) -> None:
    for difference in left:
        typer.echo(difference.words)
    if left:
        raise typer.Exit(1)
    typer.echo(
        f"the broker holds the topology: {len(topology.EXCHANGES)} exchanges,"
        f" {len(topology.QUEUES)} queues, {len(topology.BINDINGS)} bindings,"
        f" {len(topology.POLICIES)} policies"
    )


def _differences(client: ManagementClient, chosen: TopologySettings) -> list[Difference]:
    events = chosen.task_events
    users = [
        topology.scraper(""),
        topology.earlier_sender(""),
        topology.worker("", events=events),
        topology.operator(""),
        topology.monitor(""),
    ]
    return compare(
        definitions(users, events=events),
        {part: client.rows(path) for part, path in PARTS.items()},
        optional_users=_OPTIONAL_USERS,
    )


@contextmanager
def _broker() -> Iterator[tuple[ManagementClient, TopologySettings]]:
    """The broker to look at; an error that stops us becomes one sentence and exit code 2."""
    try:
        chosen = settings.load(TopologySettings)
        url = chosen.management_url.get_secret_value()
        with ManagementClient(url, tls.trust(chosen)()) as client:
            yield client, chosen
    except PipelineError as error:
        typer.echo(f"stopped: {error}", err=True)
        raise typer.Exit(2) from None


if __name__ == "__main__":
    sys.exit(app())
