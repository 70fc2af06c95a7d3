"""Runs the scraper as its users do: a command, an environment, an exit code."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path

from lab.errors import LabError
from lab.history.journals import Journal
from lab.substrates.abilities import OUTBOX, Finished, Program, RunsPrograms

SCRAPE_WITHIN_S = 1800.0
COMPLETE, PARTIAL, SPOOLED = 0, 1, 5
"""Exit codes of a scrape that read everything: all rows were good; some were refused; all messages
had to stay in the outbox, whatever the rows."""


@dataclass(frozen=True)
class Scraper:
    """The scraper of one run.

    Attributes:
        place: where it runs; its journals are in the working folder there.
        logs: the folder of the run's logs.
        seed: of its message ids.
        wrapper: a module that is run in place of the scraper and gets its name and arguments,
            for experiments that switch a guard off.
        settings: environment variables over those that it usually has; None removes one.
        prefix: of its files' names, so that two runs in one working folder keep them apart.
    """

    place: RunsPrograms
    logs: Path
    seed: int
    wrapper: str | None = None
    settings: Mapping[str, str | None] = field(default_factory=dict)
    prefix: str = ""

    def journal(self, index: int) -> Journal:
        """The journal of scrape `index`."""
        return self._journal(f"{self.prefix}journal-{index}.jsonl")

    @property
    def drain_journal(self) -> Journal:
        """The journal of all drains."""
        return self._journal(f"{self.prefix}journal-drained.jsonl")

    def scrape(self, moment: datetime, index: int, *, within_s: float = SCRAPE_WITHIN_S) -> int:
        """Read the whole site as of `moment`; return the exit code.

        Raises:
            LabError: it still ran after `within_s`, and was killed.
        """
        done = self._run(
            "scrape",
            *("--url", f"{self.place.site_url()}/at/{moment.isoformat()}/schedule"),
            *("--now", moment.isoformat()),
            *("--seed", str(self.seed)),
            *("--journal", self.journal(index).name),
            *("--pages-max", "5000"),
            "--json",
            within_s=within_s,
        )
        (self.logs / f"scraper-{index}.log").write_text(done.stderr + done.stdout)
        return done.code

    def drain(self) -> None:
        """Send what waits in the outbox.

        Raises:
            LabError: something stayed in it.
        """
        if self._has_kept_nothing():
            return
        done = self._run("drain", "--journal", self.drain_journal.name)
        if done.code != 0:
            raise LabError(f"the outbox did not drain: {done.stdout.strip()} {done.stderr.strip()}")

    def try_to_drain(self) -> int:
        """Send what waits in the outbox, and return the exit code."""
        return self._run("drain", "--journal", self.drain_journal.name).code

    def waiting(self) -> int:
        """How many messages wait in the outbox.

        Raises:
            LabError: the scraper failed to count them.
        """
        if self._has_kept_nothing():
            return 0
        done = self._run("waiting")
        if done.code != 0:
            raise LabError(f"the scraper cannot count its outbox: {done.stderr.strip()}")
        return int(done.stdout)

    def refused(self) -> dict[str, str]:
        """What the API refused for good and the outbox keeps aside: message id to reason.

        Raises:
            LabError: the scraper failed to list them.
        """
        if self._has_kept_nothing():
            return {}
        done = self._run("refused", "--json")
        try:
            return {
                str(entry["message_id"]): str(entry["reason"]) for entry in json.loads(done.stdout)
            }
        except (ValueError, KeyError, TypeError) as error:
            raise LabError(f"the scraper cannot list what was refused: {done.stderr}") from error

    def _has_kept_nothing(self) -> bool:
        """Whether there is no outbox at all: the scraper takes that for a wrong path."""
        return self.place.read(self._outbox) is None

    @property
    def _outbox(self) -> str:
        return f"{self.prefix}{OUTBOX}"

    def _journal(self, name: str) -> Journal:
        return Journal(name, partial(self.place.read, name))

    def _run(self, *arguments: str, within_s: float = 60.0) -> Finished:
        return self.place.run(
            Program.SCRAPER,
            *arguments,
            settings={**self.settings, "MISSING_TABLE_OUTBOX": self._outbox},
            wrapper=self.wrapper,
            within_s=within_s,
        )
