"""The corpus: schedules that were bad once, or are tricky, one a line with the reason."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lab.errors import CannotRun
from lab.faults.schedule import Planned, read

FILE = Path(__file__).with_name("corpus.txt")


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the corpus.

    Attributes:
        why: what makes it tricky.
    """

    schedule: tuple[Planned, ...]
    why: str


def entries(file: Path = FILE) -> list[Entry]:
    """The lines of a corpus.

    Raises:
        CannotRun: one cannot be read, or does not say why it is there. Names it.
    """
    found = []
    for number, line in enumerate(file.read_text("utf-8").splitlines(), 1):
        written, _, why = (part.strip() for part in line.partition("#"))
        if not written:
            continue
        if not why:
            raise CannotRun(f"{file}, line {number}: it does not say why it is there")
        try:
            found.append(Entry(read(written), why))
        except CannotRun as error:
            raise CannotRun(f"{file}, line {number}: {error}") from error
    return found
