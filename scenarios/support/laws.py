"""Which laws a run broke."""

from __future__ import annotations

from lab.checker.check import Audit
from lab.checker.verdict import Verdict


def not_valid(audit: Audit) -> dict[int, Verdict]:
    """Every law that does not hold, broken or unknown, by its number."""
    return {each.law: each.verdict for each in audit.findings if each.verdict is not Verdict.VALID}


def only_broken(audit: Audit, *laws: int) -> None:
    """Assert that these laws are broken, and that all others hold."""
    why = "\n".join(f"{each.law} {each.verdict}: {each.explanation}" for each in audit.findings)
    assert not_valid(audit) == dict.fromkeys(laws, Verdict.INVALID), why
    assert audit.verdict is Verdict.INVALID
