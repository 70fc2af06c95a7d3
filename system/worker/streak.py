"""How many messages in a row met a bug: counted by all pool children, read by their parent."""

from __future__ import annotations

from ctypes import c_int64
from multiprocessing.sharedctypes import RawArray, RawValue
from zlib import crc32

from system.worker.brake import Tally


class Streak:
    """A tally in memory that a fork shares.

    Without a lock: a child that is killed while it held one would stop all others. Two that count
    at the same moment may count one too few, which delays the brake by a message.

    Args:
        longest: count up to so many in a row; 0: the brake is never applied.
    """

    def __init__(self, longest: int) -> None:
        self._longest = longest
        self._ids = RawArray(c_int64, max(1, longest))
        self._in_a_row = RawValue(c_int64)
        self._bugs = RawValue(c_int64)
        self._others = RawValue(c_int64)

    def bug(self, message_id: str) -> None:
        """An attempt to handle this message met a bug, or killed its pool child."""
        self._bugs.value += 1
        known, length = crc32(message_id.encode()), self._in_a_row.value
        if length < len(self._ids) and known not in self._ids[:length]:
            self._ids[length] = known
            self._in_a_row.value = length + 1

    def other(self) -> None:
        """An attempt ended as was foreseen, whether well or not."""
        self._others.value += 1
        self._in_a_row.value = 0

    def tally(self) -> Tally:
        """What was counted until now."""
        return Tally(self._in_a_row.value, self._bugs.value, self._others.value)

    def is_long(self) -> bool:
        """Whether so many in a row met a bug that the brake is about to be applied."""
        return 0 < self._longest <= self._in_a_row.value
