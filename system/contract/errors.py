"""What breaks the contract, and the base of every error of the pipeline (`system.errors`)."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, time
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
    """Return `value` as a person can read it, cut to `limit` characters: input may be huge.

    Text is quoted; everything else is written as it would be in a message, in JSON. Whoever reads
    it need not know Python: there is no None, and no `datetime.date(2025, 10, 18)`.
    """
    if isinstance(value, bytes):
        value = value[: 4 * limit].decode("utf-8", "replace")
    text = repr(str(value)) if isinstance(value, str) else _escaped(_as_json(value)[: limit + 1])
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


def kind_of(value: Any) -> str:
    """What kind of JSON a value is, in words."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true or false"
    kinds = {str: "text", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(value), "of another kind")


def _as_json(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=_plain)
    except (TypeError, ValueError, RecursionError):  # a key that is no text, a circle
        return "something that JSON cannot say"


def _plain(value: Any) -> Any:
    """What JSON knows no form for: a time in its usual one, and else the words of the value."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _escaped(text: str) -> str:
    """Without what acts on a terminal, or cannot be encoded."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)


class ContractViolation(PipelineError):  # noqa: N818 - the field's standard word
    """Data breaks the contract. Carries every rule broken, not just the first."""

    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations
        super().__init__("; ".join(map(str, violations)) or "breaks the contract")
