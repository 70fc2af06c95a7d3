"""The fake substrate as commands and fixtures use it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from lab.errors import CannotRun
from lab.substrates.fake.fake import Fake
from lab.substrates.protocol import Substrate
from lab.substrates.provider import Say, silent

_taken: set[str] = set()
_lock = threading.Lock()


class FakeProvider:
    """Labs within this process."""

    name = Fake.name
    substrate: type[Substrate] = Fake

    @contextmanager
    def opened(self, lab: str, base: Path, say: Say = silent) -> Iterator[Fake]:
        """A lab of sockets; `base` is not used."""
        with _lock:
            if lab in _taken:
                raise CannotRun(f"a lab named {lab!r} is running here already")
            _taken.add(lab)
        made = Fake()
        try:
            yield made
        finally:
            made.down()
            _taken.discard(lab)

    def guarded(self, lab: str, work: Callable[[Substrate], int], say: Say = silent) -> int:
        """Run `work`; nothing of a lab of sockets can outlive this process."""
        with self.opened(lab, Path(), say) as made:
            return work(made)
