"""A message read: what its sender says of a match, from when, and with what right.

    payload ── match.parse ──> what was sent ── read ──> Observation

All ways meet here: the pages of the scraper, the queue, the API, the earlier senders. So here, and
nowhere else, a season is held against its date, a score against the clock, and a time against ours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from typing import Any

from system.contract import match as contract
from system.contract import playing
from system.contract.errors import ContractViolation, Violation, abbreviate
from system.contract.match import SILENT_IF_NULL, Match, Status

SKEW = timedelta(minutes=5)
"""How far ahead of ours a sender's clock may be."""

RESULT = "result"
"""What `Observation.stated` calls status and scores: they are said together."""

_SCORES = frozenset({"home_score", "away_score"})
_NOT_BY_ITSELF = _SCORES | {"match_status", "observed_at"}
_SHOWN_OTHERWISE = (
    "home_team",
    "away_team",
    "league",
    "division",
    "match_status",
    "home_score",
    "away_score",
    "external_match_id",
)
"""The fields that a match may show in another way than its message, besides its season."""
_NOT_PLAYED = frozenset({Status.SCHEDULED, Status.TBD, Status.POSTPONED, Status.CANCELLED})


class ObservedFrom(StrEnum):
    """Which clock the time of an observation comes from."""

    MESSAGE = "message"
    PUBLISHED = "published"
    ARRIVAL = "arrival"


@dataclass(frozen=True, slots=True)
class Observation:
    """A match as it was seen, and the definite time at which it was.

    Attributes:
        match: what was seen, in the words of the contract: usual names, the season of its date, and
            a status that the clock allows.
        observed_at: when, in UTC; newest wins by this, then by the message's id.
        observed_from: which clock `observed_at` is: the sender's observation if it gives one, else
            the time of publishing, else that of arrival.
        stated: the optional fields that the sender vouches for, RESULT for status and scores.
        sent: what the message said where `match` says something else.
    """

    match: Match
    observed_at: datetime
    observed_from: ObservedFrom
    stated: frozenset[str]
    sent: Mapping[str, Any]

    @property
    def has_own_time(self) -> bool:
        """Whether the sender says when it saw this; else it may be old without our knowing."""
        return self.observed_from is ObservedFrom.MESSAGE


def read(
    payload: Any,
    *,
    published_at: datetime | None,
    arrived_at: datetime,
    skew: timedelta = SKEW,
) -> Observation:
    """Read a payload, from any sender and by any way; the only function that does.

    Senders of the earlier system leave `observed_at` out; then `published_at` stands in, then
    `arrived_at`. Their season is always the same one, so it is taken from the date.

    Args:
        payload: decoded JSON.
        published_at: when it was first published, if that is known; aware.
        arrived_at: now, by our clock; aware.
        skew: how far ahead of `arrived_at` an observation may be.

    Raises:
        ContractViolation: with every rule that the payload breaks.
    """
    said = contract.parse(payload)
    observed_at, observed_from = _observed(said, published_at, arrived_at.astimezone(UTC), skew)
    own_time = observed_from is ObservedFrom.MESSAGE
    changes = _season(said, own_time) | _result(said, observed_at)
    match = said.model_copy(update=changes) if changes else said
    return Observation(
        match, observed_at, observed_from, _stated(said, own_time), _sent(payload, match)
    )


def _observed(
    said: Match, published_at: datetime | None, arrived_at: datetime, skew: timedelta
) -> tuple[datetime, ObservedFrom]:
    if published_at is not None:
        published_at = _utc("published_at", published_at)
    if said.observed_at is not None:
        observed_at = _utc("observed_at", said.observed_at)
        if observed_at - arrived_at > skew:
            ahead = f"lies {_span(observed_at - arrived_at)} in the future by our clock"
            rule = f"{ahead}; at most {_span(skew)} are possible. Set the sender's clock"
            raise ContractViolation([Violation("observed_at", said.observed_at.isoformat(), rule)])
        return observed_at, ObservedFrom.MESSAGE
    if published_at is not None and published_at - arrived_at <= skew:  # or it is of no help
        return published_at, ObservedFrom.PUBLISHED
    return arrived_at, ObservedFrom.ARRIVAL


def _utc(field: str, at: datetime) -> datetime:
    try:
        return at.astimezone(UTC)
    except OverflowError:
        rule = "lies beyond the calendar (years 1 to 9999) in UTC"
        raise ContractViolation([Violation(field, abbreviate(at.isoformat()), rule)]) from None


def _span(span: timedelta) -> str:
    minutes = max(1, round(span / timedelta(minutes=1)))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"


def _season(said: Match, own_time: bool) -> dict[str, Any]:
    season = playing.season_of(said.match_date)
    if not own_time:  # the same one for every match, also in the summer, when two would fit
        return {} if said.season_key == season else {"season": season}
    if not playing.season_fits(said.season_key, said.match_date):
        rule = f"contradicts the date {said.match_date}, which is in {season}"
        raise ContractViolation([Violation("season", abbreviate(said.season), rule)])
    return {}


def _result(said: Match, seen_at: datetime) -> dict[str, Any]:
    """What the clock makes of status and scores."""
    nothing = {"home_score": None, "away_score": None}
    status = said.status
    if status in _NOT_PLAYED:
        return nothing if said.home_score is not None else {}
    if status is Status.FORFEIT:
        return {}
    day = said.match_date
    at = time.fromisoformat(said.match_time) if said.match_time else None
    if not playing.has_begun(day, at, seen_at):
        if playing.is_far_ahead(day, at, seen_at):
            when = f"{day} {at:%H:%M}" if at else str(day)
            rule = (
                f"cannot be: it is played on {when}, and was seen at {seen_at:%Y-%m-%d %H:%M} UTC"
            )
            raise ContractViolation([Violation("match_status", status.value, rule)])
        return {"match_status": Status.SCHEDULED, **nothing}
    if status is Status.COMPLETED and not _can_be_final(said, at, seen_at):
        return {"match_status": Status.LIVE}
    return {}


def _can_be_final(said: Match, at: time | None, seen_at: datetime) -> bool:
    if at is None and said.home_score == said.away_score == 0:
        # Pages print this before a match begins, and nothing here tells when that is.
        return playing.day_is_over(said.match_date, seen_at)
    return playing.can_be_over(said.age_group, said.match_date, at, seen_at)


def _stated(said: Match, own_time: bool) -> frozenset[str]:
    """The fields that the sender vouches for.

    A null is a statement ("the time is not known any more") only from those who also say when they
    saw it: the earlier senders fill in null for what they do not know.
    """
    values = said.__dict__
    given = {
        name
        for name in said.model_fields_set
        if values[name] is not None or (own_time and name not in SILENT_IF_NULL)
    }
    if said.match_status is not None or not given.isdisjoint(_SCORES):
        given.add(RESULT)
    return frozenset(given - _NOT_BY_ITSELF)


def _sent(payload: Mapping[str, Any], match: Match) -> dict[str, Any]:
    """The fields that `match` shows in another way than the message."""
    shown = match.__dict__
    sent = {
        name: payload[name]
        for name in _SHOWN_OTHERWISE
        if name in payload and payload[name] != shown[name]
    }
    season = str(payload["season"])
    if season[-2:] != match.season[-2:]:
        sent["season"] = season
    return sent
