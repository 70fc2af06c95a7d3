"""The web site that a scraper sees: the schedule of an invented season, as of any moment.

`python -m lab.workload.league.site --seed 7 --matches 1000 --port 8080`, then open it in a browser.
Every page is computed from the seed, so two sites of one seed answer alike, byte for byte.
"""

from __future__ import annotations

import signal
import sys
from typing import Annotated

import typer

from lab.workload.league.fixtures import SEASON
from lab.workload.league.season import MATCHES_USUAL, Season
from lab.workload.league.server import LeagueServer
from lab.workload.league.views import PAGE_SIZE_USUAL, Views

PAGE_DELAY_MS_USUAL = 100


def serve(
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")],
    seed: Annotated[int, typer.Option(help="The same seed gives the same season.")] = 7,
    matches: Annotated[int, typer.Option(min=1, help="Matches in it.")] = MATCHES_USUAL,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    page_delay_ms: Annotated[
        int, typer.Option(min=0, max=60_000, help="What every schedule page takes at least.")
    ] = PAGE_DELAY_MS_USUAL,
    page_size: Annotated[
        int, typer.Option(min=1, max=500, help="Rows on a page.")
    ] = PAGE_SIZE_USUAL,
    verbose: Annotated[bool, typer.Option(help="One line per request.")] = False,
) -> None:
    """Serve the league's schedule pages until SIGTERM or Ctrl-C."""
    try:
        season = Season.generate(seed, matches)
        server = LeagueServer(
            (host, port),
            Views(season, page_size),
            page_delay_s=page_delay_ms / 1000,
            verbose=verbose,
        )
    except (ValueError, OSError) as error:
        typer.echo(f"The league site cannot start on {host}:{port}: {error}", err=True)
        raise typer.Exit(2) from None
    for asked in (signal.SIGTERM, signal.SIGINT):
        signal.signal(asked, _stop)
    with server:
        typer.echo(f"Season {SEASON} of seed {seed}, {matches} matches: {server.url}")
        server.serve_forever()


def _stop(_signal: int, _frame: object) -> None:
    """End at once; requests that are being answered are dropped."""
    sys.exit(0)


if __name__ == "__main__":
    typer.run(serve)
