"""The five laws, each checked over the outcomes of the messages."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from lab.checker.order import disorder
from lab.checker.outcomes import LOOKS, Outcomes
from lab.checker.tally import Tally
from lab.checker.verdict import Verdict

EXAMPLES_MAX = 10
ID_CHARS_MAX = 128

TITLES = {
    1: "Conservation",
    2: "One effect",
    3: "Newest wins",
    4: "No silent drop",
    5: "All was looked at",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found about one law.

    Attributes:
        law: its number, 1 to 5.
        title: its name.
        verdict: valid, invalid or unknown.
        explanation: why.
        examples: ids of messages concerned, at most ten.
    """

    law: int
    title: str
    verdict: Verdict
    explanation: str
    examples: tuple[str, ...] = ()


@dataclass(slots=True)
class _Case:
    """What contradicts a law, or leaves it undecided."""

    law: int
    breaches: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)
    examples: list[str] = field(default_factory=list)

    def breach(self, count: int, what: str, examples: Iterable[str] = ()) -> None:
        """Note `count` contradictions; `what` completes a sentence that starts with the number."""
        if count:
            self.breaches.append(f"{count:,} {what}")
            self.examples.extend(examples)

    def finding(self, when_valid: str) -> Finding:
        if self.breaches:
            verdict, said = Verdict.INVALID, [*self.breaches, *self.doubts]
        elif self.doubts:
            verdict, said = Verdict.UNKNOWN, self.doubts
        else:
            verdict, said = Verdict.VALID, [when_valid]
        examples = [each[:ID_CHARS_MAX] for each in dict.fromkeys(self.examples)][:EXAMPLES_MAX]
        return Finding(self.law, TITLES[self.law], verdict, "; ".join(said) + ".", tuple(examples))


def judge(seen: Tally, outcomes: Outcomes) -> tuple[Finding, ...]:
    """Check every law, in their order. Checks made elsewhere join the law that they name."""
    findings = []
    for law in (_conservation, _one_effect, _newest_wins, _no_silent_drop, _all_looked_at):
        case, when_valid = law(seen, outcomes)
        for check in seen.checks:
            if check.law == case.law and check.verdict is not Verdict.VALID:
                against = case.breaches if check.verdict is Verdict.INVALID else case.doubts
                against.append(f"check “{check.name}” is {check.verdict}: {check.detail}")
        findings.append(case.finding(when_valid))
    return tuple(findings)


def _conservation(seen: Tally, outcomes: Outcomes) -> tuple[_Case, str]:
    case = _Case(1)
    which = "" if not outcomes.hidden else ", among those named"
    case.breach(
        outcomes.lost,
        f"accepted, and in no place after the system settled{which}",
        outcomes.missing,
    )
    if outcomes.undecided:
        case.doubts.append(
            f"{outcomes.undecided:,} accepted and not seen, which may be on their way"
        )
        case.examples.extend(outcomes.missing)
    for other, called in ((seen.dead, "dead letter"), (seen.aside, "set aside in the outbox")):
        both = sorted(outcomes.effects.keys() & other.keys())
        case.breach(len(both), f"in two places: effect and {called}", both)
    case.breach(
        len(outcomes.unexpected),
        "took effect or were dead-lettered without ever being sent",
        outcomes.unexpected,
    )
    case.breach(
        len(outcomes.contradicted),
        "took effect or died after a definite refusal",
        outcomes.contradicted,
    )
    if seen.settled is not None and seen.settled.ok:
        waiting = len(seen.pending) + seen.pending_nameless
        case.breach(waiting, "still waiting after the system settled", sorted(seen.pending))
    _need(case, seen, ("receipts", "dead_letters", "queues", "outbox"))
    return case, f"Each of {len(seen.accepted):,} accepted messages ended in exactly one place"


def _one_effect(seen: Tally, outcomes: Outcomes) -> tuple[_Case, str]:
    case = _Case(2)
    case.breach(len(outcomes.doubled), "took effect more than once", outcomes.doubled)
    gone = sorted(message_id for _, message_id in seen.gone)
    case.breach(len(gone), "had a receipt that is no longer there", gone)
    changed = sorted(seen.changed)
    case.breach(len(changed), "had a receipt that reads differently now", changed)
    _need(case, seen, ("receipts",))
    return case, f"Each of {len(outcomes.effects):,} effects happened once"


def _newest_wins(seen: Tally, outcomes: Outcomes) -> tuple[_Case, str]:
    receipts = seen.receipts.values()
    case, found = _Case(3), disorder(receipts, from_beginning=not seen.shared)
    for messages, what in (
        (found.overwrote, "changed a match that already held a newer observation"),
        (found.wrongly_stale, "called stale, though nothing newer was stored"),
        (found.created_again, "created a match that was stored already"),
    ):
        case.breach(len(messages), what, messages)
    case.breach(len(found.split), "matches are stored more than once", found.split)
    _need(case, seen, ("receipts",))
    matches = len({receipt.match_id for receipt in seen.receipts.values()})
    return case, f"The receipts of {matches:,} matches show no older observation over a newer one"


def _no_silent_drop(seen: Tally, outcomes: Outcomes) -> tuple[_Case, str]:
    case = _Case(4)
    known = seen.attempted
    for deaths, how in ((seen.dead, "dead-lettered"), (seen.aside, "set aside in the outbox")):
        blank = sorted(d.message_id for d in deaths.values() if _blank(d.reason, d.detail))
        case.breach(len(blank), f"{how} without a reason that a person can read", blank)
        valid = sorted(m for m in deaths if m in known and known[m].valid)
        case.breach(len(valid), f"{how} in spite of being valid", valid)
    taken = sorted(m for m in outcomes.effects if m in known and not known[m].valid)
    case.breach(len(taken), "took effect in spite of being invalid", taken)
    mute = sorted(m for m, detail in seen.refused.items() if _blank(detail))
    case.breach(len(mute), "refused without a reason", mute)
    rows = sum(_blank(row.reason) for row in seen.rows)
    case.breach(rows, "rows of pages refused without a reason")
    _need(case, seen, ("receipts", "dead_letters", "outbox"))
    return case, (
        f"Each has its reason (dead letters: {len(seen.dead):,}, set aside: {len(seen.aside):,}, "
        f"refusals: {len(seen.refused):,}, refused rows: {len(seen.rows):,})"
    )


def _all_looked_at(seen: Tally, outcomes: Outcomes) -> tuple[_Case, str]:
    case = _Case(5)
    case.doubts.extend(seen.doubts[:EXAMPLES_MAX])
    if len(seen.doubts) > EXAMPLES_MAX:
        case.doubts.append(f"{len(seen.doubts) - EXAMPLES_MAX:,} more doubts of this kind")
    if seen.started is None:
        case.doubts.append("the run has no beginning in its history")
    if seen.ended is None:
        case.doubts.append("the run did not end (it crashed, or its history is incomplete)")
    if not seen.attempted:
        case.doubts.append("no message was attempted, so nothing was tested")
    stray = sorted(seen.accepted - seen.attempted.keys())
    if stray:
        case.doubts.append(f"{len(stray):,} accepted without a record of the attempt")
        case.examples.extend(stray)
    if seen.settled is None:
        case.doubts.append("the lab did not wait for the system to settle")
    elif not seen.settled.ok:
        _, seconds, waiting, detail = seen.settled
        about = [f"waiting: {waiting}"] * bool(waiting) + [detail] * bool(detail)
        case.doubts.append(
            f"the system did not settle within {seconds:g} s"
            + (f" ({'; '.join(about)})" if about else "")
        )
    _need(case, seen, LOOKS)
    return case, "The system settled, and the final look saw every place"


def _need(case: _Case, seen: Tally, looks: Collection[str]) -> None:
    """Leave a law undecided if the final probe of a place is missing or failed."""
    for what in looks:
        ok, detail = seen.looks.get(what, (False, "no probe"))
        if not ok:
            case.doubts.append(
                f"{what.replace('_', ' ')} could not be probed ({detail or 'no detail'})"
            )


def _blank(*texts: str) -> bool:
    return any(not text.strip() for text in texts)
