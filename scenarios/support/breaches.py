"""Each rule of the contract, with one message that breaks it and no other.

Derived from the schema, so that a rule that is added there is broken here too. Rules that a schema
cannot express are added by hand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from lab.clients.amqp import DeadLetter
from system.contract.errors import Violation, abbreviate
from system.contract.schema import SCHEMA
from system.contract.topology import PROCESS_QUEUE

NOTHING = "nothing"
ACROSS = "(match)"
_WRONG_TYPE = {"string": 7, "integer": "7"}
_NO_SUCH_DAY = {"date": "2025-02-30", "date-time": "2025-02-30T10:00:00Z"}
_ACROSS = {
    "Both scores or neither.": {"away_score": None},
    "A match that is over has its scores.": {"home_score": None, "away_score": None},
}
_BEYOND_THE_SCHEMA: dict[str, tuple[str, dict[str, Any]]] = {
    "two different teams": (ACROSS, {"away_team": "NEFC"}),
    "an hour that the clock shows": (ACROSS, {"match_date": "2026-03-08", "match_time": "02:30"}),
    "a kickoff within the calendar": (ACROSS, {"match_date": "9999-12-31", "match_time": "23:00"}),
    "an observation within the calendar": (
        "observed_at",
        {"observed_at": "9999-12-31T23:00:00-05:00"},
    ),
}


@dataclass(frozen=True, slots=True)
class BrokenRule:
    """One broken rule.

    Attributes:
        rule: the field and the schema's keyword, or the rule in words.
        field: the field that the refusal must name.
        value: the value that the refusal must quote; empty for rules across fields.
        match: the match that breaks the rule.
    """

    rule: str
    field: str
    value: str
    match: Any


def broken_rules(plain: Mapping[str, Any]) -> list[BrokenRule]:
    """Every rule broken once, by a match that is otherwise `plain`."""
    return [*_of_fields(plain), *_of_the_whole(plain)]


def disagreements(
    breach: BrokenRule,
    answer: Mapping[str, Any],
    post: tuple[int, Mapping[str, Any]],
    dead: DeadLetter,
) -> list[str]:
    """Where the three entry points answer otherwise than they should, in words.

    Args:
        breach: what was sent to all of them.
        answer: of `validate_match_data`.
        post: status and answer of the API.
        dead: the dead letter of `process_match_data`.
    """
    status, refusal = post
    reported = [Violation(**violation) for violation in answer["violations"]]
    right = {
        "validate says invalid": answer["valid"] is False,
        "validate names one rule": len(reported) == 1
        and all(violation.rule for violation in reported),
        "validate names the field": {violation.field for violation in reported} == {breach.field},
        "validate shows the value": all(
            breach.value in ("", violation.value) for violation in reported
        ),
        "the API says 422": status == HTTPStatus.UNPROCESSABLE_ENTITY,
        "the API says the same": refusal.get("violations") == answer["violations"],
        "the dead letter is invalid": (dead.reason, dead.queue) == ("invalid", PROCESS_QUEUE),
        "the dead letter says the same": dead.detail == "; ".join(map(str, reported)),
    }
    return [f"{breach.rule}: not so: {words}" for words, holds in right.items() if not holds]


def _of_fields(plain: Mapping[str, Any]) -> Iterator[BrokenRule]:
    for field, rule in SCHEMA["properties"].items():
        for keyword, bound in _rules(rule):
            value = _breaking(keyword, bound)
            yield BrokenRule(
                f"{field}: {keyword}", field, abbreviate(value), {**plain, field: value}
            )
    for field in SCHEMA["required"]:
        left = {name: value for name, value in plain.items() if name != field}
        yield BrokenRule(f"{field}: required", field, NOTHING, left)
    yield BrokenRule("no other fields", "referee", abbreviate("x"), {**plain, "referee": "x"})


def _of_the_whole(plain: Mapping[str, Any]) -> Iterator[BrokenRule]:
    for rule in SCHEMA["allOf"]:
        words = rule["description"]
        yield BrokenRule(words, ACROSS, "", {**plain, **_ACROSS[words]})
    for words, (field, change) in _BEYOND_THE_SCHEMA.items():
        value = "" if field == ACROSS else abbreviate(change[field])
        yield BrokenRule(words, field, value, {**plain, **change})
    yield BrokenRule("an object", ACROSS, abbreviate([dict(plain)]), [dict(plain)])


def _rules(rule: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The keywords of a field's rule and their bounds, each once; null is not considered."""
    found: dict[str, Any] = {}
    for keyword, bound in rule.items():
        match keyword:
            case "$ref":
                found = dict(_rules(SCHEMA["$defs"][bound.rsplit("/", 1)[-1]])) | found
            case "anyOf":
                for each in bound:
                    found |= dict(_rules(each)) if each != {"type": "null"} else {}
            case "description":
                pass
            case _:
                found[keyword] = bound
    yield from found.items()


def _breaking(keyword: str, bound: Any) -> Any:
    """A value that breaks this rule.

    Raises:
        ValueError: a keyword that this module does not know; add it.
    """
    match keyword:
        case "type":
            return _WRONG_TYPE[bound]
        case "enum":
            return "none of these"
        case "minLength":
            return ""
        case "maxLength":
            return "x" * (bound + 1)
        case "pattern":
            return "\u00a0 "
        case "not":  # control characters
            return "A\x00B"
        case "minimum":
            return bound - 1
        case "maximum":
            return bound + 1
        case "format":
            return _NO_SUCH_DAY[bound]
    raise ValueError(f"the schema has the keyword {keyword!r}; add how to break it")
