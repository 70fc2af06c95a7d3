"""What notebooks say about what they show, each sentence beside what has to be true then.

A sentence about a picture is true of one run. It stays true of every run, also on a slow machine,
only if somebody looks: `lab.dev.run_notebooks` does, each time that it runs a notebook. A notebook
that does not show what it says is an error, and is not written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Claim:
    """A sentence of a notebook, and what holds it.

    Attributes:
        cell: the id of the cell that shows it.
        sentence: as the notebook has it, word by word.
        held: a Python expression over `stage`, `lab`, and `shown` (`lab.dev.drawn.of` that cell).
    """

    cell: str
    sentence: str
    held: str

    @property
    def source(self) -> str:
        """What is run after the cell."""
        why = f"{self.sentence!r} does not hold; shown: "
        return (
            "from lab.dev import drawn\n"
            "shown = drawn.of(Out[max(Out)])\n"  # not `_`: a cell may use that as a name of its own
            f"assert {self.held}, {why!r} + str(shown)[:2000]\n"
        )


CLAIMS: Mapping[str, Sequence[Claim]] = {
    "capacity": (
        Claim(
            "capacity-3",
            "The other point was measured afterwards.",
            "[row['run'] for row in shown.rows if 'run' in row]"
            ".count('the law had not seen it') == 1",
        ),
        Claim(
            "capacity-5",
            "It is flat for long and then a wall",
            "(line := [row['mean'] for row in shown.rows if 'messages/s' in row])"
            " and 10 * line[20] < line[59]",
        ),
    ),
    "phase0": (
        Claim(
            "phase0-9",
            "every line begins at the left edge, before the first message",
            "all(shown.begins(name) < 2 for name in shown.lines)",
        ),
        Claim(
            "phase0-9",
            "Together they rise by one for each message",
            "sum(shown.values(name)[-1] - shown.values(name)[0] for name in shown.lines)"
            " == len(lab.ledger.attempted) > 0",
        ),
    ),
    "phase1": (
        Claim(
            "phase1-5",
            "the depth grows by 50 a second",
            # The worker holds some; and the broker counts a second late, or early.
            "100 < shown.highest('matches.process')"
            " < 50 * (shown.broken[0][1] - shown.broken[0][0] + 6)",
        ),
        Claim(
            "phase1-5",
            "The broker of the lab updates its queue metrics each second",
            "shown.changes('matches.process') <= 1.2 * shown.end + 2",
        ),
        Claim(
            "phase1-5",
            "the whole backlog was applied between a few updates",
            "shown.gone_after_s('matches.process', shown.broken[0][1],"
            " shown.highest('matches.process') / 10) < 16",
        ),
        Claim(
            "phase1-8",
            "the slowest took about as long as the pause",
            "shown.highest('p99') > 600 * (shown.broken[0][1] - shown.broken[0][0])",
        ),
        Claim(
            "phase1-8",
            "The mean crosses the 500 ms line although nothing failed",
            "shown.goals == [500] and shown.highest('mean') > 500"
            " and len(lab.ledger.effects) == len(lab.ledger.attempted)",
        ),
    ),
    "phase2": (
        Claim(
            "phase2-8",
            "there are three consumers while there are three workers, and one in the end",
            "shown.highest('matches.process', *shown.broken[1]) == 3"
            " and shown.values('matches.process')[-1] == 1",
        ),
        Claim(
            "phase2-11",
            "the queue is empty in the end",
            "shown.values('matches.process')[-1] == 0",
        ),
        Claim(
            "phase2-14",
            "Every message took effect once",
            "shown['attempted'] == shown['took effect'] > 0 == shown['waiting']",
        ),
        Claim(
            "phase2-16",
            "a sum over what is there now is less than what was done",
            "0 < sum(shown.values()) < len(lab.ledger.effects)",
        ),
    ),
    "phase3": (
        Claim(
            "phase3-4",
            "While the API is paused no line rises",
            "all(shown.highest(name, shown.broken[0][0] + 2, shown.broken[0][1])"
            " <= shown.highest(name, 0, shown.broken[0][0] + 2)"
            " for name in shown.lines if name != 'retried')",
        ),
        Claim(
            "phase3-8",
            "The gap in the line is correct",
            "shown.gap_s('mean', shown.broken[0][0]) > 1",
        ),
        Claim(
            "phase3-8",
            "the peak after it comes from the messages that waited",
            "shown.highest('mean', shown.broken[0][1])"
            " > 2 * shown.highest('mean', 0, shown.broken[0][0])",
        ),
        Claim(
            "phase3-9",
            "The broker of the lab updates its queue metrics each second",
            "shown.changes('matches.process') <= 1.2 * shown.end + 2",
        ),
    ),
    "phase4": (
        Claim(
            "phase4-3",
            "gave up on the queue, and used HTTP",
            "shown['second run']['http'] > 0 == shown['second run']['queue']",
        ),
        Claim(
            "phase4-5",
            "The line of HTTP rises in as many steps as there are pages",
            # Each of them waited ten seconds for the broker.
            "1 < shown.changes('http') < (shown.broken[0][1] - shown.broken[0][0]) / 10",
        ),
        Claim(
            "phase4-6",
            "The outbox holds messages only during a run",
            "shown.highest('waiting') > 0 == shown.values('waiting')[-1]",
        ),
    ),
    "phase5": (
        Claim(
            "phase5-3",
            "No line falls",
            "shown.lines and not any(shown.falls(name) for name in shown.lines)",
        ),
        Claim("phase5-6", "compared with the ledger", "shown['ledger'] == shown['Prometheus']"),
        Claim("phase5-8", "Each of the three deaths is shaded", "len(shown.broken) == 3"),
        Claim(
            "phase5-9",
            "every message took effect, so the line stays at 100 %",
            "set(shown.values('took effect')) == {100}",
        ),
    ),
    "slo": (
        Claim("slo-6", "Success did not suffer", "shown['success'] == 'met'"),
        Claim("slo-6", "that objective is *violated*", "shown['latency-p99'] == 'violated'"),
        Claim(
            "slo-8",
            "Latency did",
            "shown.highest('p99', shown.broken[0][0]) > 500 * (shown.broken[0][1]"
            " - shown.broken[0][0])",
        ),
        Claim(
            "slo-9",
            "every message took effect in the end",
            "set(shown.values('took effect')) == {100}",
        ),
        Claim(
            "slo-11",
            "Here only the short window's is",
            "shown.highest('5m') > 14.4 > shown.highest('1h')",
        ),
    ),
}
"""By notebook. A claim about what can differ between two good runs is none, and is worded so."""
