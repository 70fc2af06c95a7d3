"""The model and the schema say the same, and a refusal says what is wrong."""

from __future__ import annotations

import json
import string
from datetime import UTC, date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from system.contract import match as contract
from system.contract.errors import ContractViolation, abbreviate
from system.contract.match import Status
from system.contract.schema import SCHEMA
from system.contract.tests.samples import OURS, TODAY

if TYPE_CHECKING:
    from jsonschema import Draft202012Validator

BEYOND_THE_SCHEMA = ("two different teams", "does not exist on that day")

_json_value = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 200)
    | st.floats(allow_nan=False, allow_infinity=False, width=16)
    | st.text(string.printable, max_size=12),
    lambda inner: (
        st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


# Both are imported only when used: they take two seconds, and every process of a run of the tests
# reads this file.
@cache
def _validator() -> Draft202012Validator:
    from jsonschema import Draft202012Validator

    return Draft202012Validator(SCHEMA, format_checker=Draft202012Validator.FORMAT_CHECKER)


def _by_the_schema() -> st.SearchStrategy[dict[str, Any]]:
    """Objects whose every field is what the schema allows for it."""
    from hypothesis_jsonschema import from_schema

    fields = {
        name: from_schema({**field, "$defs": SCHEMA["$defs"]})
        for name, field in SCHEMA["properties"].items()
    }
    return st.fixed_dictionaries(
        {name: fields[name] for name in SCHEMA["required"]},
        optional={name: fields[name] for name in fields if name not in SCHEMA["required"]},
    )


_valid_looking = st.deferred(_by_the_schema)


@st.composite
def _payloads(draw: st.DrawFn) -> dict[str, Any]:
    """Matches whose fields are each fine, then perhaps one field of anything, or one less."""
    payload: dict[str, Any] = draw(_valid_looking)
    match draw(st.sampled_from(["as it is", "change", "add", "remove"])):
        case "change":
            payload[draw(st.sampled_from(sorted(SCHEMA["properties"])))] = draw(_json_value)
        case "add":
            payload[draw(st.text(min_size=1, max_size=8))] = draw(_json_value)
        case "remove":
            payload.pop(draw(st.sampled_from(sorted(payload))), None)
    return payload


@settings(max_examples=400, deadline=None)
@given(_payloads())
def test_model_and_schema_accept_the_same_values(payload: dict[str, Any]) -> None:
    schema_accepts = _validator().is_valid(payload)
    try:
        contract.parse(payload)
    except ContractViolation as refusal:
        beyond = any(words in str(refusal) for words in BEYOND_THE_SCHEMA)
        assert not schema_accepts or beyond, f"only the model refuses: {refusal}"
    else:
        assert schema_accepts, [error.message for error in _validator().iter_errors(payload)]


@settings(max_examples=100, deadline=None)
@given(_valid_looking)
def test_what_the_model_writes_it_reads_again_and_the_schema_accepts(
    payload: dict[str, Any],
) -> None:
    try:
        match = contract.parse(payload)
    except ContractViolation:
        return
    written = json.loads(json.dumps(contract.dump(match)))
    _validator().validate(written)
    assert contract.parse(written) == match


@pytest.mark.parametrize(
    ("change", "field", "rule"),
    [
        ({"home_score": "3"}, "home_score", "must be an integer"),
        ({"home_score": True}, "home_score", "must be an integer"),
        ({"home_score": 2.5}, "home_score", "must be an integer"),
        ({"home_score": -1}, "home_score", "greater than or equal to 0"),
        ({"home_score": None}, "(match)", "both or neither"),
        ({"home_score": None, "away_score": None}, "(match)", "completed match needs both scores"),
        ({"away_team": "NEFC"}, "(match)", "two different teams"),
        ({"home_team": ""}, "home_team", "at least 1"),
        ({"home_team": "\u00a0 "}, "home_team", "must not be blank"),
        ({"home_team": "A\x00B"}, "home_team", "match pattern"),
        ({"home_team": "\ud800"}, "home_team", "valid Unicode"),
        ({"match_date": "2025-02-30"}, "match_date", "valid date"),
        ({"match_date": 20251018}, "match_date", "a date like"),
        ({"match_time": "99:99"}, "match_time", "a time like"),
        (
            {"match_date": "2026-03-08", "match_time": "02:30"},
            "(match)",
            "does not exist on that day",
        ),
        ({"match_status": "over"}, "match_status", "scheduled"),
        ({"age_group": "Under 14"}, "age_group", "like U14"),
        ({"season": "2025-26\n"}, "season", "like 2025-26"),
        ({"observed_at": "2025-10-19T18:00:00"}, "observed_at", "with its offset"),
        ({"referee": "x"}, "referee", "not a field of the contract"),
    ],
)
def test_a_refusal_names_field_value_and_rule(
    change: dict[str, Any], field: str, rule: str
) -> None:
    with pytest.raises(ContractViolation) as refusal:
        contract.parse({**OURS, **change})
    (violation,) = refusal.value.violations
    assert violation.field == field
    assert rule in violation.rule
    assert violation.value


@pytest.mark.parametrize(
    ("field", "last", "beyond", "rule"),
    [
        ("home_score", 99, 100, "less than or equal to 99"),
        ("division_id", 1, 0, "greater than or equal to 1"),
        ("division_id", 2**31 - 1, 2**31, "less than or equal to 2147483647"),
        *(
            (field, "x" * limit, "x" * (limit + 1), f"must have at most {limit} characters")
            for field, limit in [
                ("home_team", 200),
                ("away_team", 200),
                ("match_type", 50),
                ("division", 100),
                ("external_match_id", 64),
                ("location", 500),
                ("notes", 500),
                ("source", 50),
            ]
        ),
    ],
)
def test_what_is_beyond_a_bound_is_refused_in_words_by_model_and_schema(
    field: str, last: object, beyond: object, rule: str
) -> None:
    assert contract.parse({**OURS, field: last})
    assert _validator().is_valid({**OURS, field: last})
    with pytest.raises(ContractViolation) as refusal:
        contract.parse({**OURS, field: beyond})
    (violation,) = refusal.value.violations
    assert rule in violation.rule
    assert not _validator().is_valid({**OURS, field: beyond})


def test_every_broken_rule_is_named_not_just_the_first() -> None:
    with pytest.raises(ContractViolation) as refusal:
        contract.parse({**OURS, "home_score": -1, "match_time": "25:00", "x": 1})
    assert {each.field for each in refusal.value.violations} == {"home_score", "match_time", "x"}


@pytest.mark.parametrize(
    ("payload", "said"),
    [
        (None, "null: must be an object, not null"),
        ([], "[]: must be an object, not a list"),
        ("match", "'match': must be an object, not text"),
        (7, "7: must be an object, not a number"),
        (False, "false: must be an object, not true or false"),
    ],
)
def test_what_is_no_object_is_refused(payload: Any, said: str) -> None:
    with pytest.raises(ContractViolation, match="must be an object") as refusal:
        contract.parse(payload)
    assert str(refusal.value) == f"(match) = {said}"


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (None, "null"),
        (True, "true"),
        (2.5, "2.5"),
        ("it's", '"it\'s"'),
        (b"F\xc3\xbatbol\x1b", "'Fútbol\\x1b'"),
        (Status.LIVE, "'live'"),
        (date(2025, 10, 18), '"2025-10-18"'),
        (datetime(2025, 10, 18, 15, 45, tzinfo=UTC), '"2025-10-18T15:45:00+00:00"'),
        ({"home_score": None, "x": [Status.LIVE, "Fút\u202ebol"]},
         '{"home_score": null, "x": ["live", "Fút\\u202ebol"]}'),
        ({(1, 2): 3}, "something that JSON cannot say"),
        ({"x": "\ud800"}, '{"x": "\\ud800"}'),
        (float("nan"), "NaN"),
    ],
)  # fmt: skip
def test_a_value_is_said_as_in_a_message_and_not_as_python_writes_it(value: Any, said: str) -> None:
    assert abbreviate(value) == said
    said.encode()
    assert all(char.isprintable() for char in abbreviate(value))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"home_score": True}, "home_score = true: "),
        ({"home_team": None}, "home_team = null: "),
        ({"home_team": ["A", None]}, 'home_team = ["A", null]: '),
        ({"away_score": None}, '"away_score": null}: home_score and away_score: both or neither'),
        ({"odd\u001b": 1}, "odd\\x1b = 1: is not a field"),
    ],
)
def test_no_refusal_needs_python_to_be_read(change: dict[str, Any], said: str) -> None:
    with pytest.raises(ContractViolation) as refusal:
        contract.parse({**OURS, **change})
    assert said in str(refusal.value)
    assert "None" not in str(refusal.value)


def test_a_huge_value_is_cut_in_the_refusal() -> None:
    with pytest.raises(ContractViolation) as refusal:
        contract.parse({**OURS, "home_team": "x" * 1_000_000})
    assert len(str(refusal.value)) < 500


@pytest.mark.parametrize(
    ("day", "at", "utc"),
    [
        ("2025-10-18", "15:45", datetime(2025, 10, 18, 19, 45, tzinfo=UTC)),  # summer, UTC-4
        ("2025-11-02", "01:30", datetime(2025, 11, 2, 5, 30, tzinfo=UTC)),  # the first of two
        ("2025-11-08", "15:45", datetime(2025, 11, 8, 20, 45, tzinfo=UTC)),  # winter, UTC-5
        ("2026-03-08", "03:00", datetime(2026, 3, 8, 7, 0, tzinfo=UTC)),  # right after the gap
    ],
)
def test_kickoffs_are_eastern_time(day: str, at: str, utc: datetime) -> None:
    assert contract.parse({**OURS, "match_date": day, "match_time": at}).kickoff == utc


def test_an_unknown_kickoff_stays_unknown() -> None:
    assert contract.parse({**OURS, "match_time": None}).kickoff is None


def test_without_an_id_the_identity_is_the_same_whatever_changes_but_the_match_itself() -> None:
    base = {**OURS, "external_match_id": None}
    first = contract.parse(base).identity
    changes = {"home_score": 5, "match_time": "11:00", "location": None, "season": "2025-2026"}
    assert contract.parse({**base, **changes}).identity == first
    for change in ({"match_date": "2025-10-19"}, {"age_group": "U15"}, {"league": "Academy"}):
        assert contract.parse({**base, **change}).identity != first
    assert contract.parse({**base, "home_team": base["home_team"].upper()}).identity == first
    swapped = {"home_team": base["away_team"], "away_team": base["home_team"]}
    assert contract.parse({**base, **swapped}).identity != first


def test_an_identity_cannot_be_forged_by_moving_a_border_between_two_names() -> None:
    base = {**OURS, "external_match_id": None}
    one = contract.parse({**base, "home_team": "AB", "away_team": "C"}).identity
    other = contract.parse({**base, "home_team": "A", "away_team": "BC"}).identity
    assert one != other


def test_an_open_status_follows_from_the_scores() -> None:
    assert contract.parse({**OURS, "match_status": None}).status is Status.COMPLETED
    assert contract.parse({**TODAY, "match_status": None}).status is Status.SCHEDULED


def test_the_date_keeps_its_type() -> None:
    assert contract.parse(OURS).match_date == date(2025, 10, 18)
