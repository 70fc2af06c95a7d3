"""Apply observations to the stored matches: one transaction, one effect per message, newest wins.

    teams ──> matches ──> receipts          each step one statement, its rows in one fixed order

A receipt is written with the change that it records. If one exists already, the whole transaction
is rolled back and done again without that message, so a message takes effect once, however often it
comes. A match shows its newest observation, by (observed_at, message_id), and shows it entirely: a
null in the newest one erases what an older one said. The statements are safe for any number of
writers at READ COMMITTED: a later writer waits for the row, then compares itself with what is
stored by then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from system.backend import statements
from system.contract import match as contract
from system.contract.match import Match, Observation
from system.contract.submission import Effect, Outcome, Submission
from system.errors import ContractViolation

Message = tuple[Submission, Observation]
"""What was submitted, and its match as read by `contract.match.read`."""

VIOLATIONS_MAX = 50
"""A refusal lists this many at most: a payload may break the contract in as many ways as it has
bytes."""

_TeamKey = tuple[str, str, str, str]  # name, age group, league or "", division or ""
_Effects = dict[str, tuple[int, Effect]]  # message id → match id, effect


def submit(
    connection: psycopg.Connection, submissions: Sequence[Submission], *, received_at: datetime
) -> list[Outcome]:
    """Read and apply; a message that breaks the contract is INVALID alone. See `apply`."""
    outcomes: dict[int, Outcome] = {}
    valid: dict[int, Message] = {}
    for at, submission in enumerate(submissions):
        try:
            observation = contract.read(
                submission.match, published_at=submission.published_at, arrived_at=received_at
            )
        except ContractViolation as error:
            outcomes[at] = invalid(submission.message_id, error)
        else:
            valid[at] = submission, observation
    applied = apply(connection, list(valid.values()), received_at=received_at)
    outcomes.update(zip(valid, applied, strict=True))
    return [outcomes[at] for at in range(len(submissions))]


def invalid(message_id: str, error: ContractViolation) -> Outcome:
    """Return the outcome of a message that breaks the contract, with VIOLATIONS_MAX at most."""
    violations = [violation.as_dict() for violation in error.violations[:VIOLATIONS_MAX]]
    return Outcome(message_id=message_id, effect=Effect.INVALID, violations=violations)


def apply(
    connection: psycopg.Connection,
    messages: Sequence[Message],
    *,
    received_at: datetime | None = None,
) -> list[Outcome]:
    """Apply messages in one transaction; their outcomes come in the same order.

    Several messages about one match have the same effect as if they were applied one after another,
    in the order given. The second message of one id is a DUPLICATE. It is all or nothing: if this
    raises, no message took effect. A deadlock or serialization failure is tried once more.

    Args:
        connection: outside of any transaction, at READ COMMITTED (PostgreSQL's default).
        messages: some hundreds at most; they go into each statement together.
        received_at: when the backend received them; now, if left out.

    Raises:
        psycopg.Error: from the database; an OperationalError is worth a later attempt.
    """
    received_at = received_at or datetime.now(UTC)
    first = {each[0].message_id: at for at, each in reversed(list(enumerate(messages)))}
    fresh = [messages[at] for at in sorted(first.values())]
    effects: _Effects = {}
    while fresh:
        try:
            effects |= _transact(connection, fresh, received_at)
            break
        except _AlreadyApplied as error:
            known = _receipts(connection, error.message_ids)
            effects |= {id_: (match_id, Effect.DUPLICATE) for id_, match_id in known.items()}
            fresh = [message for message in fresh if message[0].message_id not in known]
    outcomes = []
    for at, (submission, _) in enumerate(messages):
        match_id, effect = effects[submission.message_id]
        if first[submission.message_id] != at:
            effect = Effect.DUPLICATE
        outcomes.append(Outcome(message_id=submission.message_id, effect=effect, match_id=match_id))
    return outcomes


class _AlreadyApplied(Exception):  # noqa: N818 - undoes the transaction; never leaves this module
    def __init__(self, message_ids: list[str]) -> None:
        self.message_ids = message_ids
        super().__init__(f"{len(message_ids)} messages have their receipt already")


def _receipts(connection: psycopg.Connection, message_ids: list[str]) -> dict[str, int]:
    with connection.transaction():
        return dict(connection.execute(statements.FIND_RECEIPTS, [message_ids]).fetchall())


def _transact(
    connection: psycopg.Connection, messages: Sequence[Message], received_at: datetime
) -> _Effects:
    try:
        return _transact_once(connection, messages, received_at)
    except (DeadlockDetected, SerializationFailure):
        return _transact_once(connection, messages, received_at)


def _transact_once(
    connection: psycopg.Connection, messages: Sequence[Message], received_at: datetime
) -> _Effects:
    with connection.transaction():
        teams = _teams(connection, [observation.match for _, observation in messages])
        effects: _Effects = {}
        for turn in _turns(messages):
            effects |= _upsert(connection, turn, teams)
        _write_receipts(connection, messages, effects, received_at)
    return effects


def _turns(messages: Iterable[Message]) -> list[list[Message]]:
    """Split so that no turn holds a match twice, and each match keeps the order of its messages.

    Each turn is sorted, so that all writers lock rows in one order. The matches of a later turn are
    among those of the first, which holds their locks: a later turn waits for no other writer.
    """
    turns: list[list[Message]] = []
    seen: dict[str, int] = {}
    for message in messages:
        identity = message[1].match.identity
        turn = seen[identity] = seen.get(identity, -1) + 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append(message)
    return [sorted(turn, key=lambda each: each[1].match.identity) for turn in turns]


def _teams(connection: psycopg.Connection, matches: Iterable[Match]) -> dict[_TeamKey, int]:
    """Find the teams of these matches, creating those that are new."""
    wanted = {_team_key(m, name) for m in matches for name in (m.home_team, m.away_team)}
    found = _find_teams(connection, sorted(wanted))
    missing = sorted(wanted - found.keys())
    if missing:
        connection.execute(statements.CREATE_TEAMS, _columns(missing))
        # Another writer may have created them meanwhile; a new statement sees those too.
        found |= _find_teams(connection, missing)
    return found


def _team_key(match: Match, name: str) -> _TeamKey:
    return name, match.age_group, match.league or "", match.division or ""


def _find_teams(connection: psycopg.Connection, wanted: list[_TeamKey]) -> dict[_TeamKey, int]:
    rows = connection.execute(statements.FIND_TEAMS, _columns(wanted))
    return {(name, age, league, division): id_ for name, age, league, division, id_ in rows}


def _upsert(
    connection: psycopg.Connection, messages: Sequence[Message], teams: dict[_TeamKey, int]
) -> _Effects:
    rows = [_match_row(*message, teams) for message in messages]
    answer = connection.execute(statements.UPSERT_MATCHES, _columns(rows))
    touched = {identity: (id_, Effect(effect)) for identity, id_, effect in answer}
    stale = [identity for identity, *_ in rows if identity not in touched]
    if stale:
        answer = connection.execute(statements.FIND_MATCHES, [stale])
        touched |= {identity: (id_, Effect.STALE) for identity, id_ in answer}
    return {message_id: touched[identity] for identity, _, message_id, *_ in rows}


def _match_row(
    submission: Submission, observation: Observation, teams: dict[_TeamKey, int]
) -> tuple[Any, ...]:
    """The columns of `statements.UPSERT_MATCHES`, in its order."""
    match = observation.match
    return (
        match.identity,
        observation.observed_at,
        submission.message_id,
        match.external_match_id,
        teams[_team_key(match, match.home_team)],
        teams[_team_key(match, match.away_team)],
        match.match_date,
        match.match_time,
        match.kickoff,
        match.season_key,
        match.age_group,
        match.league,
        match.division,
        match.division_id,
        match.match_type,
        match.status.value,
        match.home_score,
        match.away_score,
        match.location,
        match.notes,
        match.source,
    )


def _write_receipts(
    connection: psycopg.Connection,
    messages: Sequence[Message],
    effects: _Effects,
    received_at: datetime,
) -> None:
    """Write the receipts last, so that `committed_at` is the time just before the commit."""
    rows = [
        (
            submission.message_id,
            observation.match.identity,
            effects[submission.message_id][0],
            effects[submission.message_id][1].value,
            submission.way.value,
            submission.attempt,
            observation.observed_at,
            observation.observed_from.value,
            submission.published_at,
            received_at,
        )
        for submission, observation in sorted(messages, key=lambda each: each[0].message_id)
    ]
    answer = connection.execute(statements.INSERT_RECEIPTS, _columns(rows))
    written = {message_id for (message_id,) in answer}
    if len(written) < len(rows):
        raise _AlreadyApplied([row[0] for row in rows if row[0] not in written])


def _columns(rows: Iterable[tuple[Any, ...]]) -> list[list[Any]]:
    return [list(column) for column in zip(*rows, strict=True)]
