"""The JSON Schema of a match, and the types of its fields for Pydantic.

Text arrives as text: Pydantic alone would also read 1730000000 as a date, or "3" as a number.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import date, datetime
from importlib.resources import files
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Strict, StringConstraints
from pydantic import Field as Bounded
from pydantic_core import PydanticCustomError

SCHEMA: dict[str, Any] = json.loads(
    files("system.contract").joinpath("match.schema.json").read_text("utf-8")
)
VERSION: str = SCHEMA["$id"].rsplit(":", 1)[-1]


def _of_shape(pattern: str, words: str) -> Callable[[Any], Any]:
    compiled = re.compile(pattern)

    def check(value: Any) -> Any:
        if isinstance(value, (date, datetime)):  # built by our own code, not read from the wire
            return value
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise PydanticCustomError("shape", "must be {words}", {"words": words})
        return value

    return check


def shape_of(field: str, words: str) -> BeforeValidator:
    """The pattern of `field` in the schema, so that it is written once."""
    rule = SCHEMA["properties"][field]
    pattern = rule.get("pattern") or rule["anyOf"][0]["pattern"]
    return BeforeValidator(_of_shape(pattern, words))


def _not_blank(value: str) -> str:
    if not value.strip(" \u00a0"):
        raise PydanticCustomError("blank", "must not be blank")
    return value


def _integral(value: Any) -> Any:
    """JSON Schema counts 3.0 as an integer, and so do we. A boolean is none."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


NAME_MAX, DIVISION_MAX = 200, 100  # characters
_ON_ONE_LINE = r"^[^\x00-\x1f\x7f]*$"


def _up_to(characters: int) -> StringConstraints:
    return StringConstraints(pattern=_ON_ONE_LINE, min_length=1, max_length=characters)


# Bounds stand before functions: those that stand behind one are functions of Python, too.
Line = Annotated[str, StringConstraints(pattern=_ON_ONE_LINE)]
Name = Annotated[str, _up_to(NAME_MAX), AfterValidator(_not_blank)]
DivisionName = Annotated[str, _up_to(DIVISION_MAX), AfterValidator(_not_blank)]
MatchNumber = Annotated[str, _up_to(64), AfterValidator(_not_blank)]
ShortName = Annotated[str, _up_to(50), AfterValidator(_not_blank)]
Text = Annotated[str, StringConstraints(max_length=500, pattern=r"^[^\x00]*$")]
DivisionId = Annotated[int, Strict(), Bounded(ge=1, le=2147483647), BeforeValidator(_integral)]
Score = Annotated[int, Strict(), Bounded(ge=0, le=99), BeforeValidator(_integral)]
