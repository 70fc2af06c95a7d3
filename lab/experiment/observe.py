"""Keeps the record of a load that another program drives, and has the last word on it.

    Locust ── orders, one JSON object a line ──> lab observe ── what it says, likewise ──> Locust

The other program writes its attempts into journals in the run's folder (`lab.history.journals`).
Orders: `begin` with `at` (seconds since the epoch) and `shares` (how many journals), `published`,
`finish` with `stopped` (whether the load was cut short by a person). The end of the orders is a
`finish`, too, so a program that dies leaves a verdict all the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import Any

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.errors import LabError
from lab.experiment.conduct import Conductor, conducted
from lab.experiment.lab import Lab
from lab.experiment.runs import RUNS
from lab.experiment.session import session
from lab.experiment.work import JOINING
from lab.history.journals import Journal, JournalReader, load_journal
from lab.report import conclude
from lab.substrates.protocol import Substrate
from lab.workload.observations import message
from lab.workload.profiles import Profile, planned

Say = Callable[[dict[str, Any]], None]
SHARES_MAX = 256


def observe(
    substrate: Substrate,
    name: str,
    profile: Profile,
    orders: Iterable[str],
    say: Say,
    *,
    runs: Path = RUNS,
) -> Audit:
    """Record a load from its beginning to its verdict.

    Latency is no objective here: the program that drives the load has budgets of its own.

    Args:
        orders: lines, as they come.
        say: first `folder` and `series`, at last `verdict` and `why`.

    Raises:
        LabError: the system is not up, or an order cannot be read.
    """
    folder: Path | None = None
    try:
        with session(
            f"load-{name}", substrate, JOINING, runs=runs, objectives={LATENCY_MEAN: None}
        ) as lab:
            folder = lab.folder
            watch = _Watch(lab, profile)
            with conducted(lab, profile) as conductor:
                say({"folder": str(folder.resolve()), "series": watch.series})
                with lab.checking("the load was observed"):
                    watch.follow(conductor, orders)
            lab.finish(watch.expect)
    except BaseException:
        if folder is not None:
            with suppress(LabError):  # whatever ended it, there is a verdict if there can be one
                conclude.conclude(folder)
        raise
    audit = conclude.conclude(folder)
    say({"verdict": audit.verdict.value, "why": audit.why})
    return audit


class _Watch:
    """One load: its orders, its journals, and what the store must hold after it."""

    def __init__(self, lab: Lab, profile: Profile) -> None:
        self.series = lab.next_series()
        self._lab, self._profile = lab, profile
        self._journals: list[Journal] = []

    def follow(self, conductor: Conductor, orders: Iterable[str]) -> None:
        """Obey until the load is finished."""
        stopped = False
        for line in orders:
            order = _read(line)
            match order["do"]:
                case "begin":
                    self._begin(int(order["shares"]))
                    conductor.begin(float(order["at"]))
                case "published":
                    conductor.published()
                case "finish":
                    stopped = bool(order.get("stopped"))
                    break
                case other:
                    raise LabError(f"no order is called {other!r}")
        else:
            self._lab.ledger.doubt("the program that drove the load ended before it was finished")
        if not stopped:
            self._check_all_was_offered()

    def expect(self) -> None:
        """Expect in the store what was accepted or took effect, in the order of its age."""
        ledger = self._lab.ledger
        sent = ledger.accepted | ledger.effects
        for observed_at, message_id, index in sorted(self._attempts()):
            if message_id in sent:
                match = message(self._profile, self.series, index, observed_at).match
                self._lab.remember(match, observed_at, message_id)

    def _begin(self, shares: int) -> None:
        if not 0 < shares <= SHARES_MAX:
            raise LabError(f"a load has 1 to {SHARES_MAX} shares, not {shares}")
        self._journals = [load_journal(self._lab.folder, place) for place in range(shares)]
        for journal in self._journals:
            self._lab.ledger.follow(journal)

    def _attempts(self) -> Iterator[tuple[datetime, str, int]]:
        reader = JournalReader()
        for journal in self._journals:
            reader.follow(journal)
        for _, entry in reader.read_on():
            if entry["event"] == "attempted":
                at = datetime.fromisoformat(entry["observed_at"])
                yield at, entry["message_id"], entry["index"]

    def _check_all_was_offered(self) -> None:
        """A load that is not what it is called has shown nothing about it."""
        wanted = planned(self._profile, self.series)
        attempted = len({message_id for _, message_id, _ in self._attempts()})
        self._lab.check(
            "the whole load was offered",
            ok=True if attempted == wanted else None,
            detail=f"{attempted:,} of {wanted:,} messages were attempted",
        )


def _read(line: str) -> dict[str, Any]:
    try:
        order = json.loads(line)
    except ValueError:
        order = None
    if not isinstance(order, dict) or "do" not in order:
        raise LabError(f"this is no order: {line[:100]!r}")
    return order
