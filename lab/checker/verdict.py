"""The verdict of a run and its public format, `verdict.json`.

The format is described in docs/reference/verdict.md and fixed by verdict.schema.json beside this
file; nothing is written that breaks it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lab.errors import LabError

if TYPE_CHECKING:
    import jsonschema

FILE = "verdict.json"
SCHEMA_PATH = Path(__file__).with_name("verdict.schema.json")


class Verdict(StrEnum):
    """What is known of a claim: it holds, it is broken, or it could not be decided."""

    VALID = "valid"
    INVALID = "invalid"
    UNKNOWN = "unknown"

    @property
    def exit_code(self) -> int:
        """What `lab` returns to the shell: 0 valid, 1 invalid, 2 unknown."""
        return {Verdict.VALID: 0, Verdict.INVALID: 1, Verdict.UNKNOWN: 2}[self]

    @property
    def sign(self) -> str:
        """One character for people: ✓, ✗ or ?."""
        return {Verdict.VALID: "✓", Verdict.INVALID: "✗", Verdict.UNKNOWN: "?"}[self]


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """The verdict over several: one broken breaks all, one undecided leaves all undecided.

    Nothing to judge is unknown, never valid.
    """
    given = set(verdicts)
    if Verdict.INVALID in given:
        return Verdict.INVALID
    if Verdict.UNKNOWN in given or not given:
        return Verdict.UNKNOWN
    return Verdict.VALID


class VerdictError(LabError):
    """A verdict breaks its public format, or its file cannot be written or read."""


def check(document: Any) -> None:
    """Hold a document against the public format.

    Raises:
        VerdictError: naming the first field that breaks it, and the rule.
    """
    from jsonschema.exceptions import best_match

    error = best_match(_validator().iter_errors(document))
    if error is not None:
        where = error.json_path.removeprefix("$.")
        raise VerdictError(f"the verdict breaks {SCHEMA_PATH.name} at {where}: {error.message}")


def write(document: Any, path: Path) -> None:
    """Write a verdict, checked first; a reader sees the old file or the whole new one.

    Raises:
        VerdictError: it breaks the format, or cannot be written.
    """
    check(document)
    part = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        part.write_bytes(json.dumps(document, indent=2).encode() + b"\n")
        part.replace(path)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise VerdictError(f"cannot write {path}: {error}") from error


def read(path: Path) -> dict[str, Any]:
    """Read a verdict and hold it against the format.

    Raises:
        VerdictError: it cannot be read, or breaks the format.
    """
    try:
        document: dict[str, Any] = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise VerdictError(f"cannot read the verdict {path}: {error}") from error
    check(document)
    return document


@cache
def _validator() -> jsonschema.Draft202012Validator:
    # Half of the time of every command would go into this import, and few commands need it.
    import jsonschema

    schema = json.loads(SCHEMA_PATH.read_bytes())
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(
        schema, format_checker=jsonschema.Draft202012Validator.FORMAT_CHECKER
    )
