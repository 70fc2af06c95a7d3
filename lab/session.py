"""A run of the lab: a running system, a record, and the verbs of an experiment.

    run folder  .runs/<time>-<name>/    history.jsonl  verdict.json  report.html  logs/
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from lab import broker, report, senders, settling, truth
from lab.backend import Backend, BackendSilent
from lab.errors import LabError
from lab.history import FILE, History
from lab.league.season import Season
from lab.ledger import Ledger
from lab.settling import Trouble
from lab.substrate import Endpoints, Plan, Role, Substrate
from lab.verdict import Verdict

RUNS = Path(".runs")
SCRAPE_WITHIN_S = 1800.0


@dataclass
class Lab:
    """What a scenario holds.

    Attributes:
        folder: of this run; everything that it leaves behind is in there.
        true: by identity, what the store must hold in the end.
        trouble: what the run went through so far; it decides how long settling may take.
    """

    substrate: Substrate
    endpoints: Endpoints
    plan: Plan
    folder: Path
    history: History
    ledger: Ledger
    season: Season
    rng: random.Random
    true: dict[str, dict[str, object]] = field(default_factory=dict)
    trouble: Trouble = field(default_factory=Trouble)

    def scrape(self, moment: datetime, index: int) -> None:
        """Let the scraper read the whole site as it stands at `moment`; return when it is done."""
        self.history.write("scrape", index=index, moment=moment, phase="begin")
        refused_before = self.ledger.rows_refused
        journal = self.folder / f"journal-{index}.jsonl"
        self.ledger.follow(journal)
        code = self._run_scraper(moment, index, journal)
        self.ledger.look()
        self.history.write("scrape", index=index, moment=moment, phase="end")
        self.true |= {
            identity: each.as_dict() for identity, each in self.season.truth_at(moment).items()
        }
        refused = self.ledger.rows_refused - refused_before
        expected = self.season.unreadable_at(moment)
        self.check(
            f"scrape {index}",
            ok=code == (1 if expected else 0) and refused == expected,
            detail=f"exit code {code}; {refused} rows refused, {expected} cannot be read",
        )

    def send_foreign(self, ordinal: int) -> None:
        """Send what other senders put into the queue: see `lab.senders`."""
        url = self.endpoints.broker_urls["admin"]
        for parcel in senders.parcels(self.rng, ordinal):
            senders.send(parcel, url, self.ledger)
            if parcel.expect == senders.EFFECT and parcel.match is not None:
                match = dict(parcel.match)
                self.true[str(match["external_match_id"])] = match

    def settle(self) -> bool:
        """Wait until nothing waits; see `lab.settling`."""
        return settling.settle(self.ledger, self.trouble)

    def check(self, name: str, *, ok: bool, detail: str) -> None:
        """Record a check of one's own; it enters the verdict."""
        self.history.write(
            "check", name=name, verdict="valid" if ok else "invalid", detail=detail
        )

    def compare_with_truth(self) -> None:
        """Compare every stored match with what happened in the season."""
        try:
            stored = list(Backend(self.endpoints.api_url).matches())
        except BackendSilent as error:
            self.history.write("looked", what="truth", ok=False, detail=str(error))
            return
        found = truth.compare(stored, self.true)
        self.history.write("looked", what="truth", ok=True, detail=f"{len(stored)} matches")
        self.check(
            "every stored match equals the season's truth",
            ok=not found,
            detail=f"{len(stored)} stored, {len(self.true)} true, {len(found)} differences"
            + "".join(f"; {each}" for each in found[:5]),
        )

    def final_look(self) -> None:
        """Look once more at every place where a message can be; what cannot be seen is recorded."""
        self._looking("receipts", self._see_receipts)
        self._looking("dead_letters", lambda: f"{self.ledger.look_at_dead_letters()} dead letters")
        self._looking("queues", self._see_queues)
        self._looking("outbox", self._see_outbox)

    def _see_receipts(self) -> str:
        self.ledger.look()
        return f"{len(self.ledger.effects)} receipts"

    def _see_queues(self) -> str:
        depths = self.ledger.depths()
        for queue, ready in depths.items():
            if ready and queue != broker.DEAD_LETTER_QUEUE:
                where = "retry" if ".retry." in queue else "queue"
                self.history.write("pending", where=where, count=ready)
        return f"{len(depths)} queues"

    def _see_outbox(self) -> str:
        waiting = _run(self._scraper("waiting"), self._scraper_environment(), 60)
        count = int(waiting.stdout.strip())
        if count:
            self.history.write("pending", where="outbox", count=count)
        return f"{count} in the outbox"

    def _looking(self, what: str, look: object) -> None:
        try:
            detail, ok = str(look()), True  # type: ignore[operator]
        except (LabError, ValueError, subprocess.SubprocessError, *broker.TROUBLE) as error:
            detail, ok = f"{type(error).__name__}: {error}", False
        self.history.write("looked", what=what, ok=ok, detail=detail)

    def _scraper(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "system.scraper", *arguments]

    def _scraper_environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")}
        return {
            **kept,
            "MISSING_TABLE_BROKER_URL": self.endpoints.broker_urls["scraper"],
            "MISSING_TABLE_API_URL": self.endpoints.api_url,
            "MISSING_TABLE_API_TOKEN": self.endpoints.api_token,
            "MISSING_TABLE_OUTBOX": str(self.folder / "outbox.sqlite"),
        }

    def _run_scraper(self, moment: datetime, index: int, journal: Path) -> int:
        command = self._scraper(
            "scrape",
            "--url",
            f"{self.endpoints.site_url}/at/{moment.isoformat()}/schedule",
            "--now",
            moment.isoformat(),
            "--seed",
            str(self.plan.seed),
            "--journal",
            str(journal),
            "--pages-max",
            "5000",
            "--json",
        )
        done = _run(command, self._scraper_environment(), SCRAPE_WITHIN_S)
        (self.folder / "logs" / f"scraper-{index}.log").write_text(done.stderr + done.stdout)
        return done.returncode


@contextmanager
def session(
    name: str, substrate: Substrate, plan: Plan, *, runs: Path = RUNS
) -> Iterator[Lab]:
    """Start the system and its record; on exit take the logs and end the system.

    The verdict is drawn afterwards, by `conclude(folder)`.
    """
    folder = _new_folder(name, runs)
    with History(folder / FILE) as history:
        history.write(
            "started",
            name=name,
            substrate="local",
            seed=plan.seed,
            settings={"workers": plan.workers, "matches": plan.matches},
        )
        try:
            endpoints = substrate.up(plan)
            season = Season.generate(plan.seed, plan.matches)
            with Ledger(history, endpoints) as ledger:
                yield Lab(
                    substrate,
                    endpoints,
                    plan,
                    folder,
                    history,
                    ledger,
                    season,
                    random.Random(plan.seed),
                )
            history.write("ended")
        finally:
            _keep_logs(substrate, folder / "logs")
            substrate.down()


def conclude(folder: Path) -> Verdict:
    """Judge a run that has ended: write verdict.json and report.html, return the verdict."""
    return report.conclude(folder)


def _new_folder(name: str, runs: Path) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    for attempt in range(100):
        folder = runs / (f"{stamp}-{name}" + (f"-{attempt}" if attempt else ""))
        with suppress(FileExistsError):
            folder.mkdir(parents=True)
            (folder / "logs").mkdir()
            latest = runs / f".latest-{os.getpid()}"
            latest.symlink_to(folder.name)
            latest.replace(runs / "latest")  # in one step, for two labs at once
            return folder
    raise LabError(f"no free folder in {runs}")


def _keep_logs(substrate: Substrate, folder: Path) -> None:
    for role in Role:
        for log in substrate.logs(role):
            with suppress(OSError):
                shutil.copy(log, folder / log.name)


def _run(
    command: list[str], environment: dict[str, str], within_s: float
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command,
        env=environment,
        capture_output=True,
        text=True,
        timeout=within_s,
        check=False,
    )
