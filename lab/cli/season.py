"""The commands `lab season` and `lab scrape`: the league's site is read, in a lab that is up."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

import typer

from lab.cli.options import LabName, SubstrateName, out
from lab.errors import CannotRun, SubstrateError
from lab.experiment import season as seasons
from lab.experiment.work import JOINING
from lab.substrates import registry
from lab.substrates.abilities import Program, RunsPrograms, Shared
from lab.workload.league.season import Season
from lab.workload.scraper import COMPLETE, PARTIAL, SCRAPE_WITHIN_S


def season(
    scrapes: Annotated[int, typer.Option(min=1, max=500, help="As the season goes by.")] = 5,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Let a season go by in a lab that is up, and judge it.

    The season is that of the lab's league site. Every message is accounted for; the lab goes on
    afterwards. Exit code: 0 valid, 1 invalid, 2 unknown or could not run.
    """
    place = registry.keeping(substrate).attach(name)
    audit = seasons.run(place, JOINING, scrapes=scrapes, console=out)
    raise typer.Exit(audit.verdict.exit_code)


def scrape(
    at: Annotated[
        str | None,
        typer.Option(
            help="The day, or ISO time, as of which the site is read: 2025-10-18.",
            show_default="the end of the season",
        ),
    ] = None,
    name: LabName = "default",
    substrate: SubstrateName = registry.DEFAULT,
) -> None:
    """Read the league's site once, in a lab that is up; shows what was read and sent.

    Nothing is judged. Some rows of the site cannot be read, on purpose. Exit code: 0 read, 2 not.
    """
    moment = None if at is None else moment_of(at)
    place = registry.keeping(substrate).attach(name)
    place.up(JOINING)
    try:
        if not (isinstance(place, RunsPrograms) and isinstance(place, Shared)):
            raise CannotRun(f"the substrate {substrate!r} cannot run the scraper")
        plan = place.kept_plan()
        moment = moment or Season.generate(plan.seed, plan.matches).moments(1)[0]
        out.print(f"The league's site as of {moment:%d %b %Y %H:%M} UTC:", markup=False)
        done = place.run(
            Program.SCRAPER,
            *("scrape", "--url", f"{place.site_url()}/at/{moment.isoformat()}/schedule"),
            *("--now", moment.isoformat(), "--pages-max", "5000"),
            settings={"MISSING_TABLE_LOG_LEVEL": "ERROR", "COLUMNS": "80"},
            within_s=SCRAPE_WITHIN_S,
        )
    finally:
        place.down()
    out.print(done.stdout.rstrip(), markup=False)
    if done.code not in (COMPLETE, PARTIAL):
        raise SubstrateError(f"the scraper ended with {done.code}: {done.stderr.strip()[-500:]}")


def moment_of(text: str) -> datetime:
    """A day or an ISO 8601 time; without an offset it is meant as UTC.

    Raises:
        CannotRun: it is neither.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise CannotRun(f"--at must be a day or a time like 2025-10-18, not {text!r}") from None
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
