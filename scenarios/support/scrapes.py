"""A scraper run by hand: its command line, its outbox, its journal, and what it says.

Each experiment has a sender of its own, so that nothing of another one is in its outbox.
"""

from __future__ import annotations

import json
import sys
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.dev.terminal import Terminal
from lab.experiment.lab import Lab
from lab.paths import PROJECT
from lab.substrates.local.processes import Command, Running
from lab.substrates.local.service import environment
from lab.wait import eventually, stopwatch
from scenarios.support.processes import running

SCRAPER = "system.scraper"
DRIFTED = "system.tests.weakened.drifted_sender"
COMMAND_WITHIN_S = 120.0
SAFE_WITHIN_S = 60.0


@dataclass(frozen=True, slots=True)
class Run:
    """What one command of the scraper came to.

    Attributes:
        code: its exit code.
        said: its standard output; JSON, decoded, where it is that.
        warned: the events of its log, in order.
        seconds: how long it took.
    """

    code: int
    said: Any
    warned: list[dict[str, Any]]
    seconds: float

    @property
    def why(self) -> str:
        """What the scraper's log says of the first messages that were not confirmed; or empty."""
        return next(
            (each["detail"] for each in self.warned if each["event"] == "not confirmed"), ""
        )


@dataclass(frozen=True)
class Sender:
    """A scraper with an outbox and a journal of its own.

    Attributes:
        name: of both files, in the run's folder. The same name, moment and pages give the same
            message ids again.
        moment: when it looks at the league's pages.
        settings: environment variables over the usual ones; None takes one away.
        drift: what it does otherwise than the contract says; see `system.tests.weakened`.
    """

    lab: Lab
    name: str
    moment: datetime
    settings: Mapping[str, str | None] = field(default_factory=dict)
    drift: Mapping[str, Any] | None = None

    def scrape(self, pages: Sequence[Path] = (), *, mode: str = "queue") -> Run:
        """Read saved pages, or else the whole site; return when it is done."""
        return self._type("scrape", *self._scraping(pages, mode))

    @contextmanager
    def scraping(self, pages: Sequence[Path]) -> Iterator[Running]:
        """The same, while it goes on; it is killed at the end, where it has not ended by then."""
        words = self._scraping(pages, "queue")
        with running(
            Command(self._command("scrape", *words), environment(**self._env()), cwd=self._folder),
            self._folder / "logs" / f"{self.name}.log",
        ) as process:
            yield process

    def drain(self) -> Run:
        """Send what waits in the outbox."""
        return self._type("drain", "--json", "--journal", str(self._journal))

    def waiting(self) -> int:
        """How many messages wait in the outbox."""
        return int(self._type("waiting").said)

    def journal(self, event: str) -> list[dict[str, Any]]:
        """The journal's entries of one kind so far, in order."""
        if not self._journal.exists():
            return []
        lines = self._journal.read_text("utf-8").splitlines(keepends=True)
        whole = (json.loads(line) for line in lines if line.endswith("\n"))
        return [each for each in whole if each["event"] == event]

    def ids(self) -> list[str]:
        """The messages that it set out to send, in order, each once."""
        return list(dict.fromkeys(each["message_id"] for each in self.journal("attempted")))

    def ways(self) -> dict[str, int]:
        """How many messages it calls safe, by the way that they went."""
        return dict(Counter(each["way"] for each in self.journal("accepted")))

    def seconds_to_safety(self) -> float:
        """How long its first messages took from being attempted to being safe somewhere."""
        first, safe = self.journal("attempted")[0], self.journal("accepted")[0]
        taken = datetime.fromisoformat(safe["at"]) - datetime.fromisoformat(first["at"])
        return taken.total_seconds()

    def wait_until_safe(self, *, more_than: int = 0) -> None:
        """Wait until more messages are safe than that, and none is under way."""
        eventually(
            "the page's messages to be safe",
            lambda: len(self.journal("accepted")) == len(self.ids()) > more_than,
            within_s=SAFE_WITHIN_S,
        )

    @property
    def _folder(self) -> Path:
        return self.lab.folder.absolute()

    @property
    def _journal(self) -> Path:
        return self._folder / f"{self.name}.jsonl"

    def _scraping(self, pages: Sequence[Path], mode: str) -> list[str]:
        moment = self.moment.isoformat()
        where = [word for page in pages for word in ("--file", str(page))]
        return [
            *(where or ["--url", f"{self.lab.endpoints.site_url}/at/{moment}/schedule"]),
            *("--now", moment, "--seed", str(zlib.crc32(self.name.encode())), "--mode", mode),
            *("--journal", str(self._journal), "--json"),
        ]

    def _type(self, *words: str) -> Run:
        with stopwatch() as seconds:
            done = Terminal(self._folder, self._env()).type(
                *self._command(*words), within_s=COMMAND_WITHIN_S
            )
        try:
            said = json.loads(done.out)
        except ValueError:
            said = done.out
        log = [json.loads(line) for line in done.complaints.splitlines() if line.startswith("{")]
        return Run(done.code, said, log, round(seconds(), 1))

    def _command(self, *words: str) -> tuple[str, ...]:
        modules = (DRIFTED, SCRAPER) if self.drift is not None else (SCRAPER,)
        return (sys.executable, "-m", *modules, *words)

    def _env(self) -> dict[str, str]:
        ends = self.lab.endpoints
        usual: dict[str, str | None] = {
            "MISSING_TABLE_BROKER_URL": ends.broker_urls["scraper"],
            "MISSING_TABLE_API_URL": ends.api_url,
            "MISSING_TABLE_API_TOKEN": ends.api_token,
            "MISSING_TABLE_OUTBOX": str(self._folder / f"{self.name}.sqlite"),
            "WEAKENED": json.dumps(self.drift or {}),
            "PYTHONPATH": str(PROJECT),
        }
        return {name: value for name, value in {**usual, **self.settings}.items() if value}
