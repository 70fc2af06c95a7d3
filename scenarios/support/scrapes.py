"""A scraper run by hand: its command line, its outbox, its journal, and its output.

Each experiment has a sender of its own, so that nothing of another experiment is in its outbox.
"""

from __future__ import annotations

import json
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lab.experiment.lab import Lab
from lab.substrates.abilities import Program, Started
from lab.wait import eventually, stopwatch

DRIFTED = "system.tests.weakened.drifted_sender"
COMMAND_WITHIN_S = 120.0
SAFE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class ScraperRun:
    """The result of one command of the scraper.

    Attributes:
        code: its exit code.
        output: its standard output; decoded, if it is JSON.
        log_events: the events of its log, in order.
        seconds: how long it took.
    """

    code: int
    output: Any
    log_events: list[dict[str, Any]]
    seconds: float

    @property
    def why(self) -> str:
        """The log's detail about the first messages that were not confirmed; or empty."""
        return next(
            (entry["detail"] for entry in self.log_events if entry["event"] == "not confirmed"), ""
        )


@dataclass(frozen=True)
class Sender:
    """A scraper with an outbox and a journal of its own.

    Attributes:
        name: of both files, in the working folder. The same name, moment and pages give the same
            message ids again.
        moment: when it looks at the league's pages.
        settings: environment variables over the usual ones; None removes one.
        drift: how it deviates from the contract; see `system.tests.weakened`.
    """

    lab: Lab
    name: str
    moment: datetime
    settings: Mapping[str, str | None] = field(default_factory=dict)
    drift: Mapping[str, Any] | None = None

    def scrape(self, pages: Sequence[str] = (), *, mode: str = "queue") -> ScraperRun:
        """Read saved pages, or else the whole site; return when it has ended."""
        return self._type("scrape", *self._scraping(pages, mode))

    def scraping(self, pages: Sequence[str]) -> AbstractContextManager[Started]:
        """The same for the block, without waiting; it is killed at the end if it still runs."""
        return self.lab.programs.started(
            Program.SCRAPER,
            "scrape",
            *self._scraping(pages, "queue"),
            log=self.name,
            settings=self._settings(),
            wrapper=self._wrapper,
        )

    def drain(self) -> ScraperRun:
        """Send what waits in the outbox."""
        return self._type("drain", "--json", "--journal", self._journal)

    def waiting(self) -> int:
        """How many messages wait in the outbox."""
        return int(self._type("waiting").output)

    def journal(self, event: str) -> list[dict[str, Any]]:
        """The journal's entries of one kind so far, in order."""
        content = self.lab.programs.read(self._journal) or b""
        lines = content.decode("utf-8").splitlines(keepends=True)
        whole = (json.loads(line) for line in lines if line.endswith("\n"))
        return [entry for entry in whole if entry["event"] == event]

    def ids(self) -> list[str]:
        """The messages that it attempted to send, in order, each once."""
        return list(dict.fromkeys(entry["message_id"] for entry in self.journal("attempted")))

    def ways(self) -> dict[str, int]:
        """The number of messages that it accepted, by way."""
        return dict(Counter(entry["way"] for entry in self.journal("accepted")))

    def seconds_to_safety(self) -> float:
        """How long its first message took from the attempt until it was accepted."""
        first, safe = self.journal("attempted")[0], self.journal("accepted")[0]
        taken = datetime.fromisoformat(safe["at"]) - datetime.fromisoformat(first["at"])
        return taken.total_seconds()

    def wait_until_safe(self, *, more_than: int = 0) -> None:
        """Wait until more than `more_than` messages are accepted, and none is in flight."""
        eventually(
            "the page's messages to be safe",
            lambda: len(self.journal("accepted")) == len(self.ids()) > more_than,
            within_s=SAFE_WITHIN_S,
        )

    @property
    def _journal(self) -> str:
        return f"{self.name}.jsonl"

    @property
    def _wrapper(self) -> str | None:
        return DRIFTED if self.drift is not None else None

    def _scraping(self, pages: Sequence[str], mode: str) -> list[str]:
        moment = self.moment.isoformat()
        where = [word for page in pages for word in ("--file", page)]
        return [
            *(where or ["--url", f"{self.lab.programs.site_url()}/at/{moment}/schedule"]),
            *("--now", moment, "--seed", str(zlib.crc32(self.name.encode())), "--mode", mode),
            *("--journal", self._journal, "--json"),
        ]

    def _type(self, *words: str) -> ScraperRun:
        with stopwatch() as seconds:
            done = self.lab.programs.run(
                Program.SCRAPER,
                *words,
                settings=self._settings(),
                wrapper=self._wrapper,
                within_s=COMMAND_WITHIN_S,
            )
        try:
            output = json.loads(done.stdout)
        except ValueError:
            output = done.stdout
        log = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
        return ScraperRun(done.code, output, log, round(seconds(), 1))

    def _settings(self) -> dict[str, str | None]:
        own: dict[str, str | None] = {
            "MISSING_TABLE_OUTBOX": f"{self.name}.sqlite",
            "MISSING_TABLE_METRICS_FOLDER": None,
            "WEAKENED": json.dumps(self.drift or {}),
        }
        return {**own, **self.settings}
