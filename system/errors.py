"""The tree of errors of the pipeline.

PipelineError
├── SettingsError          a setting is missing or wrong; nothing was started
├── ContractViolation      data that breaks the contract: permanent, never retried
├── Unavailable            something is away for now: transient, wait and try again
│   ├── BrokerUnavailable
│   ├── ApiUnavailable
│   └── DatabaseUnavailable
├── Refused                the other side said no, and will say it again: permanent
├── ScheduleError          a page could not be fetched, or is no schedule page
└── OutboxFull             the scraper's spool has reached its bound

Whether an error is worth a retry is a property of its class; `worker.retry.decide` reads it there.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


class PipelineError(Exception):
    """The base of every error that this project raises on purpose."""


class SettingsError(PipelineError):
    """A setting is missing or wrong. The text names the environment variable."""


@dataclass(frozen=True, slots=True)
class Violation:
    """One rule broken by one field.

    Attributes:
        field: name on the wire, dotted where nested; `(match)` for rules across fields.
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


def shown(value: Any, limit: int = 200) -> str:
    """Return `value` as a person can read it, cut to `limit` characters: input may be huge."""
    text = repr(value)
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


class ContractViolation(PipelineError):  # noqa: N818 - the field's standard word
    """Data breaks the contract. Carries every rule broken, not just the first."""

    def __init__(self, violations: list[Violation]) -> None:
        self.violations = violations
        super().__init__("; ".join(map(str, violations)) or "breaks the contract")


class Unavailable(PipelineError):  # noqa: N818
    """Something this process needs is away for now."""


class BrokerUnavailable(Unavailable):
    """RabbitMQ cannot be reached, or did not confirm in time."""


class ApiUnavailable(Unavailable):
    """The backend API cannot be reached, timed out, or answered 429 or 5xx."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached, or broke the connection off."""


class Refused(PipelineError):  # noqa: N818
    """The other side understood and said no: a wrong token, a wrong path, a body too large."""


class ScheduleError(PipelineError):
    """A schedule page could not be fetched or holds no schedule. Names the page."""


class OutboxFull(PipelineError):  # noqa: N818
    """The outbox holds as much as it may; nothing more is accepted until it drains."""
