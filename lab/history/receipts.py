"""Reads the receipts of the store: continuously during a run, and all of them again at its end."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lab.clients.backend import Backend
from lab.history.log import History
from system.contract.submission import Receipt


class ReceiptReader:
    """Remembers of each receipt what it said, in some 200 bytes. Not for several threads at once.

    Args:
        take_in: given receipts that were never seen before, in the order of their cursors.
    """

    def __init__(
        self, backend: Backend, history: History, take_in: Callable[[Sequence[Receipt]], None]
    ) -> None:
        self._backend = backend
        self._history = history
        self._take_in = take_in
        self._first = self._cursor = ""
        self._seen: dict[str, tuple[str, int]] = {}  # by cursor; see _mark

    def skip(self) -> None:
        """Leave out everything that is there already, now and in the end.

        Raises:
            BackendSilent: as `read_on` does.
        """
        while page := self._page(self._cursor):
            self._first = self._cursor = page[1]

    def read_on(self) -> None:
        """Read what became visible since the last time.

        Raises:
            BackendSilent: the backend did not answer, or not as it promises.
        """
        while page := self._page(self._cursor):
            receipts, following = page
            self._new(receipts)
            self._cursor = following  # last: what could not be recorded is read again

    def read_anew(self) -> set[str]:
        """Read every receipt, from the first one not left out; return the messages that have one.

        What was seen before and is gone, or reads differently, is recorded as such. Takes one
        request for each 2,000 receipts.

        Raises:
            BackendSilent: as `read_on` does; then nothing is known to be gone.
        """
        ids: set[str] = set()
        missing, changed, cursor = dict(self._seen), [], self._first
        while page := self._page(cursor):
            receipts, cursor = page
            ids.update(receipt.message_id for receipt in receipts)
            self._new([receipt for receipt in receipts if receipt.cursor not in self._seen])
            for receipt in receipts:
                before = missing.pop(receipt.cursor, None)
                if before is not None and before != _mark(receipt):
                    changed.append((receipt.cursor, before[0]))
        for at, message_id in changed:
            self._vanished(at, message_id, changed=True)
        for at, (message_id, _) in missing.items():
            self._vanished(at, message_id, changed=False)
            del self._seen[at]
        return ids

    def _page(self, after: str) -> tuple[list[Receipt], str] | None:
        receipts, following = self._backend.receipts(after)
        return (receipts, following) if receipts else None

    def _new(self, receipts: Sequence[Receipt]) -> None:
        self._take_in(receipts)
        self._seen.update((receipt.cursor, _mark(receipt)) for receipt in receipts)

    def _vanished(self, cursor: str, message_id: str, *, changed: bool) -> None:
        self._history.write(
            "vanished", place="receipts", message_id=message_id, cursor=cursor, changed=changed
        )


def _mark(receipt: Receipt) -> tuple[str, int]:
    """Its message, and a hash of all that it says."""
    return receipt.message_id, hash(receipt.model_dump_json())
