"""The claims of a phase and the result of each, as records.

A claim is the first paragraph of a test's docstring. An experiment confirms or refutes it, and what
was observed is kept as evidence, so that a reader can check the verdict.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from lab.checker.verdict import Verdict, worst

BECAUSE_MAX = 400
DID_NOT_RUN = "it did not finish"


@dataclass(frozen=True, slots=True)
class Seen:
    """One thing that was seen.

    Attributes:
        what: its name.
        value: a number, text, or a list or mapping of such.
    """

    what: str
    value: Any


@dataclass(frozen=True, slots=True)
class Claim:
    """One claim and what became of it.

    Attributes:
        name: of the test, for running it alone.
        text: what is claimed.
        experiment: how it is shown; empty if the claim says all.
        because: why it does not hold or could not be decided; empty if it holds.
        seconds: how long the experiment took.
        lacking: what the substrate lacks for it, in words; then nothing was asked.
    """

    name: str
    text: str
    experiment: str = ""
    verdict: Verdict = Verdict.UNKNOWN
    because: str = DID_NOT_RUN
    seconds: float = 0.0
    seen: tuple[Seen, ...] = ()
    lacking: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A phase that has been run.

    Attributes:
        phase: its number.
        trouble: why the phase as a whole could not run; empty if it could.
        seconds: from its start to its end.
    """

    phase: int
    title: str
    substrate: str
    started: datetime
    seconds: float
    claims: tuple[Claim, ...]
    trouble: str = ""

    @property
    def verdict(self) -> Verdict:
        """The worst of all claims that were asked; unknown if the phase could not run."""
        said = [each.verdict for each in self.asked]
        return worst([*said, Verdict.UNKNOWN] if self.trouble else said)

    @property
    def asked(self) -> list[Claim]:
        """The claims that can be shown on this substrate."""
        return [each for each in self.claims if not each.lacking]

    @property
    def why(self) -> str:
        """One line for the verdict."""
        total, left_out = len(self.asked), len(self.claims) - len(self.asked)
        broken = [each for each in self.asked if each.verdict is Verdict.INVALID]
        open_ones = [each for each in self.asked if each.verdict is Verdict.UNKNOWN]
        if broken:
            return f"{len(broken)} of {total} claims do not hold; the first: {broken[0].text}"
        if self.trouble:
            return self.trouble
        if open_ones:
            first = open_ones[0]
            return (
                f"{len(open_ones)} of {total} claims could not be decided; the first: {first.text}"
                f" ({first.because})"
            )
        if left_out and total:
            return f"all {total} claims hold that can be shown here; {left_out} cannot"
        return f"all {total} claims hold" if total else "there were no claims to check"

    def as_dict(self) -> dict[str, Any]:
        """As JSON, for `evidence.json`."""
        return {
            "phase": self.phase,
            "title": self.title,
            "substrate": self.substrate,
            "verdict": self.verdict.value,
            "why": self.why,
            "started": self.started.isoformat(timespec="seconds"),
            "seconds": round(self.seconds, 1),
            "claims": [asdict(each) | {"verdict": each.verdict.value} for each in self.claims],
        }


def split(docstring: str | None, name: str) -> tuple[str, str]:
    """Return claim and experiment: the first paragraph of a docstring, and the rest.

    A test without a docstring claims what its name says.
    """
    text = (docstring or "").strip()
    if not text:
        return name.removeprefix("test_").replace("_", " ").capitalize() + ".", ""
    first, _, rest = text.partition("\n\n")
    paragraphs = (" ".join(each.split()) for each in rest.split("\n\n"))
    return " ".join(first.split()), "\n\n".join(filter(None, paragraphs))
