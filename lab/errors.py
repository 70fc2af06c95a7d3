"""The tree of errors of the laboratory.

LabError
├── CannotRun        something is missing or wrong before anything started; exit code 2
├── SubstrateError   a service did not start, died, or cannot do what was asked
├── NotWithin        a condition was not seen within its deadline
└── raised by one module each, and defined there
    ├── backend.BackendSilent   the backend did not answer, or not as it promises
    ├── broker.BrokerSilent     the broker or its management did not answer
    ├── broker.NotTaken         the broker did not take a message
    ├── history.HistoryError    the record cannot be written or read
    ├── verdict.VerdictError    a verdict breaks its format, or its file cannot be used
    └── report.ReportError      the page of a run cannot be written
"""

from __future__ import annotations


class LabError(Exception):
    """The base of every error that the laboratory raises on purpose."""


class CannotRun(LabError):  # noqa: N818
    """The lab cannot even begin. The text says what to do."""


class SubstrateError(LabError):
    """A service did not start, died, or cannot do what was asked. The text names its log."""


class NotWithin(LabError):  # noqa: N818
    """A described condition was not seen within its deadline."""
