"""The command line of the scraper: `python -m system.scraper`."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import structlog
import typer
from rich.console import Console

from system import settings, telemetry
from system.console_help import WholeHelp
from system.errors import OutboxFull, Unavailable
from system.scraper import pages as sources
from system.scraper.baseline import Baseline, keep_matches, name_schedule, read_matches
from system.scraper.clock import Clock
from system.scraper.console import exit_on_error, moment, progress
from system.scraper.delivery import DeliveryResult, Mode, open_delivery
from system.scraper.exporter import serve
from system.scraper.fetch import Fetcher
from system.scraper.journal import Journal
from system.scraper.messages import Messages
from system.scraper.metrics import RunResult, count_run, open_metrics
from system.scraper.outbox import Outbox
from system.scraper.run import run
from system.scraper.summary import EXIT_CODES, Summary
from system.settings import ScraperSettings

_CODES = "\n\n".join(f"{code}  {meaning}" for code, meaning in EXIT_CODES.items())
_SETTINGS = (
    "Settings come from the environment: MISSING_TABLE_BROKER_URL, MISSING_TABLE_API_URL,"
    " MISSING_TABLE_API_TOKEN, MISSING_TABLE_OUTBOX, MISSING_TABLE_METRICS_FOLDER,"
    " MISSING_TABLE_MATCHES_SHARE_MIN."
)

log = structlog.get_logger("scraper")

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=WholeHelp,
    help=f"Reads league schedule pages and hands every match on. {_SETTINGS}",
)


@app.command(
    epilog="Examples:\n\n"
    "python -m system.scraper scrape --file saved.html --dry-run\n\n"
    "python -m system.scraper scrape --url https://league.example/schedule --journal run.jsonl\n\n"
    "python -m system.scraper scrape --url http://127.0.0.1:8000/ --mode http --json\n\n"
    f"Exit codes:\n\n{_CODES}"
)
def scrape(
    url: Annotated[
        list[str] | None,
        typer.Option(help="First page of a schedule; may be given several times."),
    ] = None,
    file: Annotated[
        list[Path] | None,
        typer.Option(help="A saved page instead; may be given several times."),
    ] = None,
    mode: Annotated[Mode, typer.Option(help="Which way comes first.")] = Mode.QUEUE,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Read and check, send nothing.")
    ] = False,
    journal: Annotated[
        Path | None, typer.Option(help="Append what is done to this file, as JSON lines.")
    ] = None,
    now: Annotated[
        str | None,
        typer.Option(
            metavar="ISO8601",
            help="The time of the observations, such as 2025-10-18T12:00:00-04:00; goes on from"
            " there. Default: the real time.",
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(help="With --now: the same run gives the same message ids again."),
    ] = None,
    pages_max: Annotated[
        int, typer.Option(min=1, max=100_000, help="Pages to read at most, in total.")
    ] = sources.PAGES_MAX,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the summary as JSON on standard output.")
    ] = False,
) -> None:
    """Read schedule pages and deliver every match on them."""
    if bool(url) == bool(file):
        raise typer.BadParameter("give either --url or --file, and at least one")
    clock = Clock(moment(now))
    with exit_on_error(), ExitStack() as stack:
        chosen = settings.load(ScraperSettings)
        telemetry.configure("scraper", chosen.log_level)
        counted = stack.enter_context(count_run(chosen, dry_run=dry_run))
        notes = stack.enter_context(Journal(journal))
        schedule = name_schedule(url or file or ())
        delivery = spool = None
        if not dry_run:
            spool = stack.enter_context(Outbox(chosen.outbox))
            delivery = stack.enter_context(
                open_delivery(chosen, mode, spool, counted.metrics, _record(notes))
            )
            delivery.drain()  # what earlier runs left behind goes first
        before = read_matches(chosen.outbox, schedule)
        if url:
            fetch = stack.enter_context(Fetcher()).fetch
            found = sources.walk(url, fetch=fetch, now=clock.now, pages_max=pages_max)
        else:
            found = sources.saved(file or [], now=clock.now, pages_max=pages_max)
        with progress() as shown:
            summary = run(
                sources.one_ahead(found),
                messages=Messages(clock.start, seed),
                journal=notes,
                delivery=delivery,
                metrics=counted.metrics,
                baseline=Baseline(before or 0, chosen.matches_share_min),
                progress=shown,
            )
        counted.exit_code, counted.gaps = summary.exit_code, tuple(summary.gaps)
        if spool is not None and RunResult.of(summary.exit_code).is_success:
            _keep(spool, schedule, summary.fresh)
    if as_json:
        typer.echo(json.dumps(summary.as_dict(), ensure_ascii=False, indent=2))
    else:
        Console().print(summary.as_table())
    raise typer.Exit(summary.exit_code)


@app.command(
    epilog="Exit codes:\n\n0  the outbox is empty\n\n"
    "2  could not run: a setting is wrong, or there is no outbox\n\n"
    "3  something is still in it, or was refused"
)
def drain(
    mode: Annotated[Mode, typer.Option(help="Which way comes first.")] = Mode.QUEUE,
    journal: Annotated[
        Path | None, typer.Option(help="Append what is sent to this file, as JSON lines.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON on standard output.")
    ] = False,
) -> None:
    """Send what earlier runs had to leave in the outbox."""
    summary = Summary()
    with exit_on_error(), ExitStack() as stack:
        chosen = settings.load(ScraperSettings)
        telemetry.configure("scraper", chosen.log_level)
        notes = stack.enter_context(Journal(journal))
        spool = stack.enter_context(Outbox(chosen.outbox, create=False))
        delivery = stack.enter_context(
            open_delivery(chosen, mode, spool, open_metrics(chosen), _record(notes))
        )
        for result in delivery.drain():
            summary.settled(result.outcome, result.way, result.detail)
        left = len(spool)
    counts = {
        "accepted_by_way": dict(summary.accepted),
        "denied_reasons": dict(summary.denied),
        "waiting": left,
    }
    typer.echo(
        json.dumps(counts, ensure_ascii=False, indent=2)
        if as_json
        else f"sent {summary.accepted.total()}, refused {summary.denied.total()},"
        f" still waiting {left}"
    )
    raise typer.Exit(3 if left or summary.denied else 0)


@app.command()
def waiting() -> None:
    """Print how many messages wait in the outbox."""
    with exit_on_error(), Outbox(settings.load(ScraperSettings).outbox, create=False) as spool:
        typer.echo(len(spool))


@app.command()
def refused(
    retry: Annotated[
        bool, typer.Option("--retry", help="Let them wait again; the next run sends them.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print them as JSON on standard output.")
    ] = False,
) -> None:
    """List what the backend refused for good, and why; it is kept aside in the outbox."""
    with exit_on_error(), Outbox(settings.load(ScraperSettings).outbox, create=False) as spool:
        aside = spool.refused()
        if retry:
            spool.retry_refused()
    if as_json:
        found = [
            {"message_id": envelope.message_id, "reason": reason, "match": envelope.arguments[0]}
            for envelope, reason in aside
        ]
        typer.echo(json.dumps(found, ensure_ascii=False, indent=2))
        return
    for envelope, reason in aside:
        typer.echo(f"{envelope.message_id}  {reason}")
    typer.echo(f"{len(aside)} {'wait again' if retry else 'refused'}", err=True)


@app.command(
    epilog="Exit codes:\n\n0  ended by SIGTERM or Ctrl-C\n\n"
    "2  could not run: a setting is wrong, or the port is taken"
)
def metrics(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port to listen on.")],
    host: Annotated[
        str | None,
        typer.Option(help="Address to listen on. Default: MISSING_TABLE_METRICS_HOST, 127.0.0.1."),
    ] = None,
) -> None:
    """Serve /metrics: what the runs have counted, and what waits in the outbox now."""
    with exit_on_error():
        chosen = settings.load(ScraperSettings)
        serve(chosen, host or chosen.metrics_host, port)


def _keep(spool: Outbox, schedule: str, matches: int) -> None:
    """Keep what the next run is compared with. It is no reason for this one to fail."""
    try:
        keep_matches(spool, schedule, matches)
    except (OutboxFull, Unavailable) as error:
        log.warning("baseline not kept", detail=str(error))


def _record(notes: Journal) -> Callable[[Sequence[DeliveryResult]], None]:
    """Write the outcomes of messages from the outbox into the journal and the log."""

    def note(results: Sequence[DeliveryResult]) -> None:
        notes.settled(
            (result.message_id, result.outcome, result.way, result.detail) for result in results
        )
        for result in results:
            log.info(
                "drained", message_id=result.message_id, outcome=result.outcome, way=result.way
            )

    return note


if __name__ == "__main__":
    sys.exit(app())
