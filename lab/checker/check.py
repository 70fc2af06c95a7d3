"""The audit: a history in, a verdict out. Pure; connects to nothing and writes nothing.

    events ── tally ──> what was seen ── outcomes ──> where each message is
           ── laws, order, measures ──> findings ──> Audit

Sets and laws follow Jepsen's total-queue checker, stricter in one point: here a message that takes
effect twice is a violation. A claim is valid, invalid or unknown, and unknown never passes.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from lab.checker import laws, measures
from lab.checker.laws import Finding
from lab.checker.measures import Latency, Objective, Passage
from lab.checker.outcomes import Outcome, Outcomes, determine
from lab.checker.records import Check, Death, Depth, Fault, Refusal
from lab.checker.tally import Tally, tally
from lab.checker.verdict import Verdict, worst
from lab.history.log import Event
from system.contract.submission import Effect

WHY_CHARS_MAX = 500


@dataclass(frozen=True, slots=True)
class Counts:
    """Messages, counted; docs/reference/verdict.md says what each number means."""

    attempted: int = 0
    accepted: int = 0
    committed: int = 0
    unchanged: int = 0
    dead_lettered: int = 0
    set_aside: int = 0
    waiting: int = 0
    lost: int = 0
    duplicated: int = 0
    unexpected: int = 0
    others: int = 0
    recovered: int = 0
    undecided: int = 0
    refused: int = 0
    unconfirmed: int = 0
    rows_refused: int = 0


@dataclass(frozen=True, slots=True)
class Story:
    """What the page of a run draws and lists: each message's way, and what happened meanwhile.

    `deaths` has dead letters and what was set aside; those of valid messages come first.
    """

    ways: list[Passage] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)
    rows: list[Refusal] = field(default_factory=list)
    depths: list[Depth] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Audit:
    """The verdict on a run, and what it rests on.

    Attributes:
        name, substrate, seed, started: which run; None if the history does not say.
        seconds: from the beginning to the end, or to the last thing that was recorded.
        verdict: over laws, checks and objectives.
        why: one line: what is wrong or not known, or that all holds.
        findings: one for each law.
        checks: what was checked elsewhere.
        objectives: success ratio and mean latency.
        latency: None if no message ended.
        throughput_per_s: effects a second; None if the run was too short.
        arrivals_per_s: messages published a second; None if the run was too short.
        settings: of the run, as its history has them.
        story: for the page.
    """

    name: str
    substrate: str | None
    seed: int | None
    started: datetime | None
    seconds: float
    verdict: Verdict
    why: str
    counts: Counts
    findings: tuple[Finding, ...] = ()
    checks: tuple[Check, ...] = ()
    objectives: tuple[Objective, ...] = ()
    latency: Latency | None = None
    throughput_per_s: float | None = None
    arrivals_per_s: float | None = None
    faults: tuple[Fault, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    story: Story = field(default_factory=Story)

    @property
    def valid(self) -> bool:
        """Whether everything holds. Unknown is not valid."""
        return self.verdict is Verdict.VALID

    def finding(self, law: int) -> Finding:
        """What was found about one law, 1 to 5."""
        return self.findings[law - 1]


def audit(events: Iterable[Event], *, name: str = "unnamed") -> Audit:
    """Check a run by its history.

    Args:
        events: the whole history, in the order in which it was written.
        name: what to call the run if its history does not say.

    Raises:
        HistoryError: the history cannot be read, or a line lacks what it must have.
    """
    seen = tally(events)
    seen.set_others_apart()
    outcomes = determine(seen)
    ways = measures.passages(seen, outcomes)
    measured = measures.latency(ways)
    objectives = measures.objectives(ways, measured, _asked(seen.started))
    findings = laws.judge(seen, outcomes)
    throughput, arrivals = measures.rates(ways)
    begun = seen.started.at if seen.started else seen.first
    until = seen.ended or seen.last
    verdict = worst(
        [
            *(finding.verdict for finding in findings),
            *(check.verdict for check in seen.checks),
            *(objective.verdict for objective in objectives),
        ]
    )
    return Audit(
        name=seen.started.text("name") if seen.started else name,
        substrate=seen.started.text("substrate") if seen.started else None,
        seed=_seed(seen.started),
        started=begun,
        seconds=max(0.0, (until - begun).total_seconds()) if begun and until else 0.0,
        verdict=verdict,
        why=_why(verdict, findings, seen.checks, objectives),
        counts=_counts(seen, outcomes, ways),
        findings=findings,
        checks=tuple(seen.checks),
        objectives=objectives,
        latency=measured,
        throughput_per_s=throughput,
        arrivals_per_s=arrivals,
        faults=tuple(seen.faults),
        settings=_settings(seen.started),
        story=Story(ways, _deaths(seen), seen.rows, seen.depths),
    )


def _settings(started: Event | None) -> Mapping[str, Any]:
    found = started.fields.get("settings") if started else None
    return found if isinstance(found, Mapping) else {}


def undecided(why: str, *, name: str) -> Audit:
    """The verdict if there is nothing to check, or the checker itself failed: unknown."""
    return Audit(name, None, None, None, 0.0, Verdict.UNKNOWN, _line(why), Counts())


def as_document(result: Audit) -> dict[str, Any]:
    """The audit in the public format of `verdict.json`."""
    latency = result.latency._asdict() if result.latency else dict.fromkeys(Latency._fields)
    return {
        "name": result.name,
        "substrate": result.substrate,
        "verdict": result.verdict.value,
        "why": result.why,
        "counts": asdict(result.counts),
        "latency_ms": {name: _rounded(value, 3) for name, value in latency.items()},
        "throughput_per_s": _rounded(result.throughput_per_s, 3),
        "arrivals_per_s": _rounded(result.arrivals_per_s, 3),
        "slo": {
            each.name: {
                "value": _rounded(each.value, 6),
                "objective": each.objective,
                "met": each.met,
                "explanation": each.explanation,
            }
            for each in result.objectives
        },
        "laws": [
            {**asdict(each), "verdict": each.verdict.value, "examples": list(each.examples)}
            for each in result.findings
        ],
        "checks": [{**each._asdict(), "verdict": each.verdict.value} for each in result.checks],
        "faults": [
            {"name": each.name, "from": each.begun.isoformat(), "to": _iso(each.to)}
            for each in result.faults
        ],
        "seed": result.seed,
        "started": _iso(result.started),
        "seconds": round(result.seconds, 3),
    }


def _counts(seen: Tally, outcomes: Outcomes, ways: list[Passage]) -> Counts:
    effects = Counter(receipt.effect for receipt in outcomes.effects.values())
    ways_by = Counter(way.outcome for way in ways)
    changed = sum(effects[each] for each in (Effect.CREATED, Effect.UPDATED, Effect.FILLED))
    return Counts(
        attempted=len(seen.attempted),
        accepted=len(seen.accepted),
        committed=changed,
        unchanged=len(outcomes.effects) - changed,
        dead_lettered=len(seen.dead),
        set_aside=len(seen.aside),
        waiting=len(seen.pending) + seen.pending_nameless,
        lost=outcomes.lost,
        duplicated=len(outcomes.doubled),
        unexpected=len(outcomes.unexpected),
        others=len(seen.others),
        recovered=outcomes.recovered,
        undecided=outcomes.undecided,
        refused=ways_by[Outcome.REFUSED],
        unconfirmed=ways_by[Outcome.UNCONFIRMED],
        rows_refused=len(seen.rows),
    )


def _deaths(seen: Tally) -> list[Death]:
    """What was dead-lettered or set aside, valid messages first: they should not be there."""
    good = {message_id for message_id, attempt in seen.attempted.items() if attempt.valid}
    return sorted(
        [*seen.dead.values(), *seen.aside.values()],
        key=lambda death: (death.message_id not in good, death.died_at, death.message_id),
    )


def _why(
    verdict: Verdict,
    findings: tuple[Finding, ...],
    checks: list[Check],
    objectives: tuple[Objective, ...],
) -> str:
    """One line: everything that has the worst verdict, the laws first."""
    if verdict is Verdict.VALID:
        return "all five laws hold, and the objectives are met"
    said = [
        f"law {each.law}, {each.title.lower()}: {each.explanation.rstrip('.')}"
        # If nothing is broken, what could not be seen is the reason.
        for each in (findings if verdict is Verdict.INVALID else reversed(findings))
        if each.verdict is verdict
    ]
    said += [
        f"check “{each.name}”: {each.detail}"
        for each in checks
        if each.verdict is verdict and each.law is None
    ]
    said += [
        f"objective {each.name}: {each.explanation}"
        + ("" if each.value is None else f" ({each.value:.6g}, asked for {each.objective:g})")
        for each in objectives
        if each.verdict is verdict
    ]
    return _line(" | ".join(said))


def _asked(started: Event | None) -> dict[str, float | None]:
    """The objectives that the run set for itself, in `settings.objectives`."""
    settings = started.fields.get("settings") if started else None
    asked = settings.get("objectives") if isinstance(settings, dict) else None
    if started is None or asked is None:
        return {}
    for name, value in asked.items() if isinstance(asked, dict) else [("", "")]:
        number = isinstance(value, (int, float)) and not isinstance(value, bool)
        if name not in measures.NAMES or not (number or value is None):
            known = ", ".join(measures.NAMES)
            raise started.wrong("settings", f"objectives with numbers or null for {known}")
    return dict(asked)


def _seed(started: Event | None) -> int | None:
    seed = started.fields.get("seed") if started else None
    if started is not None and (isinstance(seed, bool) or not isinstance(seed, int | None)):
        raise started.wrong("seed", "a whole number or null")
    return seed


def _line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= WHY_CHARS_MAX else f"{line[: WHY_CHARS_MAX - 1]}…"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _iso(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
