"""Running the scraper as its users do: a command, an environment, an exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from lab.errors import LabError
from lab.substrates.protocol import Endpoints

SCRAPE_WITHIN_S = 1800.0
COMMAND_WITHIN_S = 60.0


@dataclass(frozen=True)
class Scraper:
    """The scraper of one run.

    Attributes:
        folder: of the run; journals and logs are in there.
        wrapper: a module that starts in place of the scraper and is given its name and arguments,
            for experiments that switch a guard off.
    """

    endpoints: Endpoints
    folder: Path
    seed: int
    wrapper: str | None = None

    def journal(self, index: int) -> Path:
        """The journal of scrape `index`."""
        return self.folder / f"journal-{index}.jsonl"

    def scrape(self, moment: datetime, index: int, *, within_s: float = SCRAPE_WITHIN_S) -> int:
        """Read the whole site as it stands at `moment`; return the exit code.

        Raises:
            LabError: it still ran after `within_s`, and was killed.
        """
        done = self._run(
            within_s,
            "scrape",
            *("--url", f"{self.endpoints.site_url}/at/{moment.isoformat()}/schedule"),
            *("--now", moment.isoformat()),
            *("--seed", str(self.seed)),
            *("--journal", str(self.journal(index))),
            *("--pages-max", "5000"),
            "--json",
        )
        log = self.folder / "logs" / f"scraper-{index}.log"
        log.write_text(done.stderr + done.stdout)
        return done.returncode

    @property
    def drained(self) -> Path:
        """The journal of all drains."""
        return self.folder / "journal-drained.jsonl"

    def drain(self) -> None:
        """Send what waits in the outbox.

        Raises:
            LabError: something stayed there.
        """
        done = self._drain()
        if done.returncode != 0:
            raise LabError(f"the outbox did not drain: {done.stdout.strip()} {done.stderr.strip()}")

    def try_to_drain(self) -> int:
        """Send what waits in the outbox, and return the exit code."""
        return self._drain().returncode

    def waiting(self) -> int:
        """How many messages wait in the outbox.

        Raises:
            LabError: the scraper did not tell.
        """
        done = self._run(COMMAND_WITHIN_S, "waiting")
        if done.returncode != 0:
            raise LabError(f"the scraper cannot tell what is in its outbox: {done.stderr.strip()}")
        return int(done.stdout)

    def refused(self) -> dict[str, str]:
        """What the API refused for good and the outbox keeps aside: message id to reason.

        Raises:
            LabError: the scraper did not tell.
        """
        done = self._run(COMMAND_WITHIN_S, "refused", "--json")
        try:
            return {
                str(each["message_id"]): str(each["reason"]) for each in json.loads(done.stdout)
            }
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"the scraper cannot tell what was refused: {done.stderr}") from error

    def _drain(self) -> subprocess.CompletedProcess[str]:
        return self._run(COMMAND_WITHIN_S, "drain", "--journal", str(self.drained))

    def _run(self, within_s: float, *arguments: str) -> subprocess.CompletedProcess[str]:
        modules = (self.wrapper, "system.scraper") if self.wrapper else ("system.scraper",)
        try:
            return subprocess.run(
                [sys.executable, "-m", *modules, *arguments],
                env=self._environment(),
                capture_output=True,
                text=True,
                timeout=within_s,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise LabError(f"the scraper still ran after {within_s:g} s: {arguments}") from None

    def _environment(self) -> dict[str, str]:
        kept = {k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")}
        metrics = self.endpoints.scraper_metrics
        return {
            **kept,
            "MISSING_TABLE_BROKER_URL": self.endpoints.broker_urls["scraper"],
            "MISSING_TABLE_API_URL": self.endpoints.api_url,
            "MISSING_TABLE_API_TOKEN": self.endpoints.api_token,
            "MISSING_TABLE_OUTBOX": self.endpoints.outbox,
            **({"MISSING_TABLE_METRICS_FOLDER": metrics} if metrics else {}),
        }
