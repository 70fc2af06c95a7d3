"""Find and lock the matches that some observations may be about, and tell which one each means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import psycopg
from psycopg.errors import SerializationFailure

from system.backend import arrays, merge, rows, statements, which
from system.backend.merge import Row
from system.backend.rows import StoredMatch
from system.contract.observation import Observation
from system.contract.submission import WORKERS_BATCH

LOCKS_FEW = 2 * WORKERS_BATCH
"""Two for each match of a batch: a server has room for thirty such batches at once. Those that take
more take turns."""


class SomeAreNewError(SerializationFailure):
    """Not all keys are known, or a match moves: begin again, and say so."""


@dataclass(slots=True)
class Stored:
    """What the store knows of the matches that some messages may be about.

    Attributes:
        by_identity: the match of each key that is known.
        new_identities: those keys that are not stored yet.
        doubts: new matches, each with another one that it may be.
        joined: matches that turned out to be a part of another, with that one.
    """

    by_identity: dict[str, StoredMatch]
    matches: list[StoredMatch]
    new_identities: list[str] = field(default_factory=list)
    doubts: list[tuple[StoredMatch, StoredMatch]] = field(default_factory=list)
    joined: list[tuple[StoredMatch, StoredMatch]] = field(default_factory=list)
    _meetings: dict[str, list[StoredMatch]] = field(init=False)

    def __post_init__(self) -> None:
        self._meetings = {}
        for match in self.matches:
            self._meetings.setdefault(match.row.meeting, []).append(match)

    def same(self, row: Row) -> tuple[StoredMatch | None, list[StoredMatch]]:
        """The match that a row which no key leads to is; else those that it may be."""
        others = self._meetings.get(row.meeting, [])
        at, doubtful = which.choose([other.row for other in others], row)
        return (None if at is None else others[at]), [others[each] for each in doubtful]

    def add(self, match: StoredMatch) -> None:
        """A match that is new."""
        self.matches.append(match)
        self._meetings.setdefault(match.row.meeting, []).append(match)

    def move(self, match: StoredMatch, before: Row) -> None:
        """See to a match whose teams or day have changed: it may be at home with another one now.

        If the same match was stored there without its number, the two become one.
        """
        self._meetings[before.meeting].remove(match)
        other, doubtful = self.same(match.row)
        self._meetings.setdefault(match.row.meeting, []).append(match)
        self.doubts += [(match, each) for each in doubtful]
        if other is not None:
            self._join(match, other)

    def _join(self, match: StoredMatch, other: StoredMatch) -> None:
        """Of the two, the one that is stored stays, and of two such the one that an id led to."""
        kept, gone = (match, other) if match.id or not other.id else (other, match)
        kept.row = merge.join(match.row, other.row)
        kept.identity = kept.row.number or kept.identity
        kept.teams, kept.told, kept.changed = None, True, True
        self.matches.remove(gone)
        self._meetings[gone.row.meeting].remove(gone)
        self.joined.append((gone, kept))
        for identity, each in self.by_identity.items():
            if each is gone:
                self.by_identity[identity] = kept

    def now(self, match: StoredMatch) -> StoredMatch:
        """What became of a match: itself, or the one that it was joined to."""
        for gone, kept in self.joined:
            match = kept if match is gone else match
        return match


def find(
    connection: psycopg.Connection, observations: Sequence[Observation], *, some_are_new: bool
) -> Stored:
    """Find and lock every match that these observations may be about.

    Usually all of their keys are known, and lead to where the matches are. If not, a writer that
    holds rows must not wait for a key, so it lets go of them and begins again. Then it first locks
    every place that the observations name: no other writer can bring a match there or find it
    there without its number, so one that moves meanwhile, however often, does no harm.

    Args:
        some_are_new: a try before this one has raised.

    Raises:
        SomeAreNewError: not all keys are known, or a match moves, and rows are locked already.
    """
    meetings: dict[str, set[str]] = {}
    for each in observations:
        meetings.setdefault(each.match.identity, set()).add(meeting_of(each))
    if some_are_new:
        wanted = [arrays.array(list(meetings))]
        old = {key for key, _ in connection.execute(statements.FIND_IDENTITIES, wanted)}
    else:
        old = set()
        by_identity = rows.lock_known(connection, list(meetings))
        if by_identity:
            at = {key: {match.row.meeting} for key, match in by_identity.items()}
            if at != meetings:
                raise SomeAreNewError("some keys are new, or a match moves")
            return Stored(by_identity, list({m.id: m for m in by_identity.values()}.values()))
    entered = sorted(set().union(*meetings.values()))
    locks = [f"identity {key}" for key in meetings.keys() - old]
    locks += [f"meeting {meeting}" for meeting in entered]
    if len(locks) > LOCKS_FEW:  # first of all, so that nobody waits for one who waits here
        connection.execute(statements.LOCK_TURN)
    connection.execute(statements.LOCK, [arrays.array(sorted(locks))])
    # Another writer may have made them meanwhile; a new statement sees those too.
    found = connection.execute(
        statements.FIND_ALL, [arrays.array(list(meetings)), arrays.array(entered)]
    ).fetchall()
    known = {key: id_ for key, id_ in found if key is not None}
    ids = sorted({id_ for _, id_ in found})
    matches = {each.id: each for each in rows.lock(connection, ids)} if ids else {}
    if not matches.keys() >= set(known.values()):
        raise SomeAreNewError(
            "a match was merged into another one, or its teams changed, meanwhile"
        )
    by_identity = {identity: matches[id_] for identity, id_ in known.items()}
    return Stored(by_identity, list(matches.values()))


def meeting_of(read: Observation) -> str:
    """The key of its two teams meeting on its day; see `merge.meeting`."""
    match = read.match
    return merge.meeting(match.age_group, match.match_date, match.home_team, match.away_team)
