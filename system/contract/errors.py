"""What breaks the contract, and the base of every error of the pipeline (`system.errors`)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class PipelineError(Exception):
    """The base of every error that this project raises on purpose."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken by one field.

    Attributes:
        field: name on the wire, dotted if nested; `(match)` for rules across fields.
        value: what was there, shortened to at most 200 characters.
        rule: what the contract asks for, in words.
    """

    field: str
    value: str
    rule: str

    def __str__(self) -> str:
        return f"{self.field} = {self.value}: {self.rule}"

    def as_dict(self) -> dict[str, str]:
        """As JSON, for the answers of the API."""
        return {"field": self.field, "value": self.value, "rule": self.rule}


def abbreviate(value: Any, limit: int = 200) -> str:
    """Return `value` as a person can read it, cut to `limit` characters: input may be huge."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class ContractViolation(PipelineError):  # noqa: N818 - the field's standard word
    """Data breaks the contract. Carries every rule broken, not just the first."""

    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations
        super().__init__("; ".join(map(str, violations)) or "breaks the contract")
