"""What became of every defect and every scene when it was tried last, as a file beside this module.

`make sabotage` writes it, and the page in docs/ shows it. A row that was never tried says so.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.sabotage.defect import Defect, Red
from lab.sabotage.judging import Word

DEFECT, TWIN = "defect", "scene without a defect"
"""The names under which a test's evidence has its result."""
FILE = Path(__file__).with_name("measured.json")


@dataclass(frozen=True, slots=True)
class Tried:
    """What became of one defect.

    Attributes:
        word: as in `judging.Word`.
        red: all that was red.
        seconds: from the beginning of the scene to the verdict.
        on: the day.
        why: in words, where it was not caught.
    """

    word: str
    red: tuple[Red, ...]
    seconds: float
    on: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one scene without a defect.

    Attributes:
        wrong: all that was not valid; empty if everything was.
        on: the day.
    """

    wrong: str
    on: str


@dataclass(frozen=True, slots=True)
class Results:
    """What became of defects and scenes, by their names."""

    defects: Mapping[str, Tried] = field(default_factory=dict)
    scenes: Mapping[str, Played] = field(default_factory=dict)

    def after(self, newer: Results) -> Results:
        """These, with newer ones in their places."""
        return Results({**self.defects, **newer.defects}, {**self.scenes, **newer.scenes})

    def of(self, table: Mapping[str, Defect]) -> Results:
        """What of it is about this table."""
        scenes = {each.scene.name for each in table.values()}
        return Results(
            {name: each for name, each in self.defects.items() if name in table},
            {name: each for name, each in self.scenes.items() if name in scenes},
        )

    def valid_without(self, defect: Defect) -> bool | None:
        """Whether the scene of a defect is valid without it; None if that was not seen."""
        played = self.scenes.get(defect.scene.name)
        return None if played is None else played.wrong == ""

    def is_good(self, name: str, defect: Defect) -> bool:
        """Whether a defect was caught and rightly named, and its scene is valid without it."""
        tried = self.defects.get(name)
        is_caught = tried is not None and tried.word == Word.CAUGHT
        return is_caught and self.valid_without(defect) is True


def read(file: Path = FILE) -> Results:
    """The results; none if there is no file."""
    if not file.exists():
        return Results()
    kept: dict[str, dict[str, dict[str, Any]]] = json.loads(file.read_text("utf-8"))
    return Results(
        {n: Tried(**{**each, "red": tuple(each["red"])}) for n, each in kept["defects"].items()},
        {name: Played(**each) for name, each in kept["scenes"].items()},
    )


def write(results: Results, file: Path = FILE) -> None:
    """Replace the results."""
    content = json.dumps(asdict(results), indent=1, ensure_ascii=False, sort_keys=True)
    file.write_text(content + "\n", "utf-8")
