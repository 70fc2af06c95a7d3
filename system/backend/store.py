"""Apply observations to the stored matches: one transaction, one effect per message, newest wins.

    identities ──> lock the rows ──> merge (pure) ──> teams ──> matches ──> receipts

A receipt is written with the change that it records. If one exists already, the whole transaction
is rolled back and done again without that message, so a message takes effect once, however often it
comes. Which row an observation is about is decided in `which`, what it changes there in `merge`.

The statements are safe for any number of writers at READ COMMITTED. Each takes its locks in one
order: new keys and the places that are named, then the rows by their ids.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import psycopg
from psycopg.errors import DeadlockDetected, SerializationFailure

from system.backend import arrays, lookup, merge, rows, statements, transaction, which
from system.backend.lookup import Stored
from system.backend.rows import StoredMatch, team_keys
from system.backend.which import Conflict
from system.contract import observation
from system.contract.observation import SKEW, Observation
from system.contract.submission import Effect, Outcome, Submission
from system.errors import ContractViolation

Message = tuple[Submission, Observation]
"""What was submitted, and its match as read by `observation.read`."""

VIOLATIONS_MAX = 50
"""A refusal lists this many at most: a payload may break the contract in as many ways as it has
bytes."""

_Outcomes = dict[str, Outcome]  # by message id


def submit(
    connection: psycopg.Connection,
    submissions: Sequence[Submission],
    *,
    received_at: datetime,
    skew: timedelta = SKEW,
) -> list[Outcome]:
    """Read and apply; a message that breaks the contract is INVALID alone. See `apply`.

    Args:
        skew: how far ahead of `received_at` an observation may be.
    """
    outcomes: dict[int, Outcome] = {}
    valid: dict[int, Message] = {}
    for at, submission in enumerate(submissions):
        try:
            read = observation.read(
                submission.match,
                published_at=submission.published_at,
                arrived_at=received_at,
                skew=skew,
            )
        except ContractViolation as error:
            outcomes[at] = invalid(submission.message_id, error)
        else:
            valid[at] = submission, read
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
    in the order given. The second message of one id is a DUPLICATE; one that contradicts what is
    stored is INVALID. It is all or nothing: if this raises, no message took effect. A deadlock or
    serialization failure is tried three times more.

    Args:
        connection: in autocommit mode, outside of any transaction.
        messages: some hundreds at most; they go into each statement together.
        received_at: when the backend received them; now, if left out.

    Raises:
        psycopg.Error: from the database; an OperationalError is worth a later attempt.
    """
    received_at = received_at or datetime.now(UTC)
    first = {each[0].message_id: at for at, each in reversed(list(enumerate(messages)))}
    fresh = [messages[at] for at in sorted(first.values())]
    found: _Outcomes = {}
    while fresh:
        try:
            found |= _transact(connection, fresh, received_at)
            break
        except _AlreadyApplied as error:
            known = _receipts(connection, error.message_ids)
            found |= {
                id_: Outcome(message_id=id_, effect=Effect.DUPLICATE, match_id=match_id)
                for id_, match_id in known.items()
            }
            fresh = [message for message in fresh if message[0].message_id not in known]
    outcomes = []
    for at, (submission, _) in enumerate(messages):
        outcome = found[submission.message_id]
        if first[submission.message_id] != at and outcome.effect is not Effect.INVALID:
            outcome = outcome.model_copy(update={"effect": Effect.DUPLICATE})
        outcomes.append(outcome)
    return outcomes


class _AlreadyApplied(Exception):  # noqa: N818 - undoes the transaction; never leaves this module
    def __init__(self, message_ids: list[str]) -> None:
        self.message_ids = message_ids
        super().__init__(f"{len(message_ids)} messages have their receipt already")


def _receipts(connection: psycopg.Connection, message_ids: list[str]) -> dict[str, int]:
    return dict(
        connection.execute(statements.FIND_RECEIPTS, [arrays.array(message_ids)]).fetchall()
    )


def _transact(
    connection: psycopg.Connection, messages: Sequence[Message], received_at: datetime
) -> _Outcomes:
    for some_are_new in (False, True, True):
        with suppress(DeadlockDetected, SerializationFailure):
            return _transact_once(connection, messages, received_at, some_are_new=some_are_new)
    return _transact_once(connection, messages, received_at, some_are_new=True)


def _transact_once(
    connection: psycopg.Connection,
    messages: Sequence[Message],
    received_at: datetime,
    *,
    some_are_new: bool,
) -> _Outcomes:
    with transaction.by_keys(connection):
        stored = lookup.find(connection, [read for _, read in messages], some_are_new=some_are_new)
        told: list[_Told] = []
        outcomes: _Outcomes = {}
        for message in messages:
            try:
                told.append(_tell(stored, message))
            except Conflict as error:
                outcomes[message[0].message_id] = invalid(message[0].message_id, error)
        _write_matches(connection, stored)
        if stored.joined:
            told = [replace(each, match=stored.now(each.match)) for each in told]
        for each in told:
            submission = each.message[0]
            outcomes[submission.message_id] = Outcome(
                message_id=submission.message_id, effect=each.effect, match_id=each.match.id
            )
        _write_receipts(connection, told, received_at)
    return outcomes


@dataclass(frozen=True, slots=True)
class _Told:
    """A message, and what it did to which match."""

    message: Message
    match: StoredMatch
    effect: Effect


def _tell(stored: Stored, message: Message) -> _Told:
    """Let one observation take effect on the match that it is about.

    Raises:
        Conflict: it contradicts what is stored under its key.
    """
    submission, read = message
    identity = read.match.identity
    match = stored.by_identity.get(identity)
    if match is not None:
        which.check(match.row, read)
    else:
        seen = merge.first(read, submission.message_id)
        match, doubtful = stored.same(seen)
        stored.new_identities.append(identity)
        if match is None:
            match = StoredMatch(0, identity, seen, None, told=True)
            stored.add(match)
            stored.by_identity[identity] = match
            stored.doubts += [(match, other) for other in doubtful]
            return _Told(message, match, Effect.CREATED)
        stored.by_identity[identity] = match
    before = match.row
    match.row, effect = merge.merge(before, read, submission.message_id)
    match.identity = match.row.number or match.identity
    match.told = True
    match.changed |= effect in (Effect.UPDATED, Effect.FILLED)
    if team_keys(before) != team_keys(match.row):
        match.teams = None
    if match.row.meeting != before.meeting:
        stored.move(match, before)
    return _Told(message, match, effect)


def _write_matches(connection: psycopg.Connection, stored: Stored) -> None:
    for gone, kept in stored.joined:
        if gone.id:  # else nothing of it is stored yet
            rows.join(connection, gone=gone.id, kept=kept.id)
    keys = {key: stored.by_identity[key] for key in stored.new_identities}
    rows.write(connection, [each for each in stored.matches if each.told], keys)
    if stored.doubts:
        doubts = [(stored.now(one).id, stored.now(other).id) for one, other in stored.doubts]
        connection.execute(statements.INSERT_DOUBTS, arrays.columns(doubts))


def _write_receipts(
    connection: psycopg.Connection, told: Sequence[_Told], received_at: datetime
) -> None:
    """Write the receipts last, so that `committed_at` is the time just before the commit."""
    receipts = [
        (
            submission.message_id,
            read.match.identity,
            each.match.id,
            each.effect.value,
            submission.way.value,
            submission.attempt,
            read.observed_at,
            read.observed_from.value,
            submission.published_at,
            received_at,
            json.dumps(read.sent) if read.sent else None,
        )
        for each in sorted(told, key=lambda each: each.message[0].message_id)
        for submission, read in [each.message]
    ]
    if not receipts:
        return
    answer = connection.execute(statements.INSERT_RECEIPTS, arrays.columns(receipts))
    written = {message_id for (message_id,) in answer}
    if len(written) < len(receipts):
        raise _AlreadyApplied([row[0] for row in receipts if row[0] not in written])
