"""The results of queries to Prometheus, as values, and the reasons why there may be none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from lab.errors import LabError


class NoDataReason(StrEnum):
    """Why there is no value."""

    EMPTY = "empty"  # no such series, or none that was scraped lately
    MANY = "many"  # several series instead of one
    NOT_FINITE = "not-finite"  # NaN or infinity, as 0/0 gives
    STALE = "stale"  # the newest sample is too old
    UNREACHABLE = "unreachable"  # no answer, not in time, too large, or not Prometheus
    REFUSED = "refused"  # Prometheus did not take the query


class NoData(LabError):  # noqa: N818
    """There is no reliable value. `reason` is for programs, the text for people."""

    def __init__(self, reason: NoDataReason, detail: str) -> None:
        self.reason = reason
        super().__init__(f"{reason}: {detail}")


@dataclass(frozen=True, slots=True)
class Sample:
    """One series at one moment; the value may be NaN or infinite."""

    labels: Mapping[str, str]
    value: float


@dataclass(frozen=True, slots=True)
class Series:
    """One series over time: points of (seconds since the epoch, value), oldest first.

    Without a scrape there is no point; values may be NaN or infinite.
    """

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]


@dataclass(frozen=True, slots=True)
class ScrapeTarget:
    """A target of scrapes. `health` is `up`, `down` or `unknown`; `error` says why it is down."""

    job: str
    instance: str
    health: str
    error: str


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert that is `pending` or `firing`."""

    name: str
    state: str
    labels: Mapping[str, str]
    since: datetime
