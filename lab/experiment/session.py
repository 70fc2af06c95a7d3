"""One run: the system is started or joined, and a record is kept, for as long as a block lasts."""

from __future__ import annotations

import random
import secrets
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.clients.backend import Backend
from lab.errors import CannotRun, LabError
from lab.experiment import by_hand
from lab.experiment.lab import Lab
from lab.experiment.metrics import JOB, LabMetrics
from lab.experiment.runs import RUNS, SERIES, keep_logs, new_folder
from lab.history import log
from lab.history.journals import SCRAPER
from lab.history.ledger import Ledger
from lab.history.log import History
from lab.substrates.abilities import KeepsSeries, RunsPrograms, Shared, Watchable
from lab.substrates.plan import Plan
from lab.substrates.protocol import Endpoints, Substrate
from lab.workload.league.season import Season
from lab.workload.scraper import Scraper


@contextmanager
def session(
    name: str,
    substrate: Substrate,
    plan: Plan,
    *,
    runs: Path = RUNS,
    scraper_wrapper: str | None = None,
    objectives: Mapping[str, float | None] | None = None,
) -> Iterator[Lab]:
    """Start the system and its record; on exit take the logs and end the system.

    A lab that another process keeps is joined instead, and stays up afterwards: its own plan holds,
    and the record begins at the present end of what is there.

    The verdict is drawn afterwards, by `lab.report.conclude.conclude(folder)`.

    Args:
        name: of the run's folder, which is made in `runs`.
        scraper_wrapper: see `lab.workload.scraper.Scraper`.
        objectives: asked of this run instead of the usual ones (see `lab.checker.measures`); None
            for an objective removes it, as a fault must make messages late.

    Raises:
        CannotRun: the substrate cannot run programs.
        SubstrateError: the system did not start.
    """
    if not isinstance(substrate, RunsPrograms):
        raise CannotRun(f"the substrate {substrate.name!r} cannot run the scraper")
    folder = new_folder(name, runs)
    with History(folder / log.FILE) as record:
        try:
            endpoints = substrate.up(plan) if isinstance(substrate, Shared) else None
            plan = substrate.kept_plan() if isinstance(substrate, Shared) else plan
            seed = secrets.randbits(31) if isinstance(substrate, Shared) else plan.seed
            record.write(
                "started",
                name=name,
                substrate=substrate.name,
                shared=isinstance(substrate, Shared),
                seed=plan.seed,
                settings={
                    "workers": plan.workers,
                    "matches": plan.matches,
                    "objectives": dict(objectives or {}),
                    "drawn_by": seed,
                },
            )
            endpoints = endpoints or substrate.up(plan)
            ledger = _ledger(record, endpoints)
            if isinstance(substrate, Shared):
                ledger.begin_at_present()
            with ledger, _reported(substrate, plan, ledger, name) as metrics:
                lab = Lab(
                    substrate,
                    endpoints,
                    plan,
                    folder,
                    record,
                    ledger,
                    Season.generate(plan.seed, plan.matches),
                    _scraper(substrate, folder, seed, scraper_wrapper),
                    random.Random(seed),
                    metrics,
                    seed,
                )
                try:
                    with by_hand.followed(lab):
                        yield lab
                finally:
                    _keep(substrate, ledger, folder)
        finally:
            keep_logs(substrate, folder / "logs")
            substrate.down()


def _ledger(record: History, endpoints: Endpoints) -> Ledger:
    return Ledger(record, Backend(endpoints.api_url), endpoints.broker_urls["operator"])


def _scraper(place: RunsPrograms, folder: Path, seed: int, wrapper: str | None) -> Scraper:
    # In a shared lab an outbox of its own: what another run keeps there is not this one's to send.
    prefix = f"run-{seed}-" if isinstance(place, Shared) else ""
    return Scraper(place, folder / "logs", seed, wrapper, prefix=prefix)


def _keep(substrate: Substrate, ledger: Ledger, folder: Path) -> None:
    """Leave the scraper's journals and the recorded series in the run's folder."""
    for journal in ledger.journals:
        if journal.sender != SCRAPER:
            continue  # those of a load are in the run's folder from the beginning
        with suppress(OSError), (folder / journal.name).open("wb") as copy:
            while piece := journal.read(copy.tell()):
                copy.write(piece)
    if isinstance(substrate, KeepsSeries):
        with suppress(LabError, OSError):  # they are evidence; their absence shows itself
            substrate.keep_series(folder / SERIES)


@contextmanager
def _reported(substrate: Substrate, plan: Plan, ledger: Ledger, name: str) -> Iterator[LabMetrics]:
    """The run's own metrics, visible to Prometheus if there is one."""
    metrics = LabMetrics(ledger.counts)
    if not (plan.monitoring and isinstance(substrate, Watchable)):
        yield metrics
        return
    with metrics.served() as address:
        substrate.watch(JOB, name, address)
        yield metrics
