"""The page of faults: what can be broken on purpose, made from the faults themselves."""

from __future__ import annotations

from lab.faults import registry
from lab.faults.api import Wrong
from lab.faults.registry import Fault
from lab.faults.residue import Leaves
from lab.paths import PROJECT
from lab.substrates.plan import Link

FILE = PROJECT / "docs" / "reference" / "faults.md"
_LEAVES = {
    Leaves.RETRIES: "messages in retry steps",
    Leaves.RECONNECTS: "clients that connect again",
    Leaves.DEAD_LETTER_ROUTE: "a dead-letter route that is tried again after minutes",
}
_NOT_SURVIVED = "Hunts leave it out."
_HEAD = """\
# Faults

Made from `lab/faults/` by `make docs`. Do not edit.

What the lab can break on purpose. Each fault carries its cure, and says what it may leave waiting;
settling takes that into account. [How to strike one](../guides/chaos.md).

| fault | what it does | can be chosen | needs a substrate that can | may leave |
|---|---|---|---|---|
"""
_LINKS = """
A link is one of: {links}. How the API errs is one of: {wrong}.
Where links cannot be broken, nothing is between their ends: start the lab with
`.venv/bin/lab up --breakable`.
"""


def page() -> str:
    """What the file should hold."""
    rows = "".join(f"{_row(each)}\n" for each in registry.known().values())
    links, wrong = (", ".join(f"`{each}`" for each in kind) for kind in (Link, Wrong))
    return _HEAD + rows + _LINKS.format(links=links, wrong=wrong)


def _row(fault: Fault) -> str:
    chosen = "<br>".join(f"`{name}={value}`" for name, value in fault.parameters.items())
    left = ", ".join(words for leaves, words in _LEAVES.items() if leaves in fault.leaves)
    summary = fault.summary if fault.survivable else f"{fault.summary} {_NOT_SURVIVED}"
    cells = (f"`{fault.name}`", summary, chosen, fault.needs_in_words, left)
    return f"| {' | '.join(cells)} |"
