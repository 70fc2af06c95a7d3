"""The tree of errors of the pipeline.

PipelineError
├── SettingsError          a setting is missing or wrong; nothing was started
├── ContractViolation      data that breaks the contract: permanent, never retried
├── Unavailable            something is unavailable for now: transient, wait and try again
│   ├── BrokerUnavailable
│   ├── ApiUnavailable
│   │   ├── LoginRefused   it is there, and does not accept our token
│   │   ├── NotTheBackend  something in between refused, or the address is another's
│   │   └── ApiFailed      it answered, but failed: perhaps at one of several messages
│   └── DatabaseUnavailable
├── Refused                the other side refused, and would refuse again: permanent
├── ScheduleError          a page could not be fetched, or is no schedule page
└── OutboxFull             the scraper's spool has reached its bound

Whether an error is worth a retry is a property of its class; `worker.retry.decide` reads it there.
"""

from __future__ import annotations

from system.contract.errors import ContractViolation, PipelineError, Violation, abbreviate

__all__ = [
    "ApiFailed",
    "ApiUnavailable",
    "BrokerUnavailable",
    "ContractViolation",
    "DatabaseUnavailable",
    "LoginRefused",
    "NotTheBackend",
    "OutboxFull",
    "PipelineError",
    "Refused",
    "ScheduleError",
    "SettingsError",
    "Unavailable",
    "Violation",
    "abbreviate",
]


class SettingsError(PipelineError):
    """A setting is missing or wrong. The text names the environment variable."""


class Unavailable(PipelineError):  # noqa: N818
    """Something that this process needs is unavailable for now."""


class BrokerUnavailable(Unavailable):
    """RabbitMQ cannot be reached, or did not confirm in time."""


class ApiUnavailable(Unavailable):
    """The backend API cannot be reached, timed out, or answered 429 or 5xx."""


class LoginRefused(ApiUnavailable):
    """The backend API does not accept our token. That is no fault of the message: it waits."""


class NotTheBackend(ApiUnavailable):
    """A refusal that is not in the backend's own words: it says nothing about the message."""


class ApiFailed(ApiUnavailable):
    """The backend API answered 500: something that it did not foresee."""


class DatabaseUnavailable(Unavailable):
    """PostgreSQL cannot be reached, or ended the connection."""


class Refused(PipelineError):  # noqa: N818
    """The other side understood and refused: a wrong path, missing rights, a body too large."""


class ScheduleError(PipelineError):
    """A schedule page could not be fetched or holds no schedule. Names the page."""


class OutboxFull(PipelineError):  # noqa: N818
    """The outbox holds as much as it may; nothing more is accepted until it drains."""
