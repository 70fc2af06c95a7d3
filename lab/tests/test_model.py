"""The expected state: what observations add up to, and how it is held against the store."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from lab.checker.model import (
    FIELDS,
    Mismatch,
    after,
    compare,
    compare_newest,
    of,
)
from lab.tests.histories import BEGUN
from system.contract import match as contract

SAID = {
    "home_team": "Alpha",
    "away_team": "Beta",
    "match_date": "2025-10-18",
    "season": "2025-26",
    "age_group": "U14",
    "match_type": "League",
}
FULL = {
    **SAID,
    "match_time": "10:00",
    "league": "Homegrown",
    "division": "Florida",
    "division_id": 4,
    "home_score": 3,
    "away_score": 1,
    "match_status": "completed",
    "external_match_id": "77",
    "location": "Field 1",
    "notes": "cold",
    "source": "pages",
}

NOT_PLAYED = {"match_status": "scheduled", "home_score": None, "away_score": None}


def told(**fields: Any) -> contract.Match:
    return contract.parse({**SAID, **fields})


def full() -> dict[str, Any]:
    return of(contract.parse(FULL))


def test_a_match_is_shown_with_every_field_as_the_api_writes_it() -> None:
    assert full() == {**FULL, "kickoff": "2025-10-18T14:00:00+00:00"}
    assert {*full()} == {*FIELDS}
    bare = of(told())
    assert bare == dict.fromkeys(FIELDS) | SAID | {"match_status": "scheduled"}


def test_the_first_observation_is_shown_as_it_is() -> None:
    assert after(None, contract.parse(FULL)) == full()
    assert after({}, contract.parse(FULL)) == full()
    assert after(None, told()) == of(told())


@pytest.mark.parametrize(
    ("said", "changed"),
    [
        ({}, {}),
        ({"location": "Field 2"}, {"location": "Field 2"}),
        ({"location": None}, {"location": None}),
        ({"match_time": "12:00"}, {"match_time": "12:00", "kickoff": "2025-10-18T16:00:00+00:00"}),
        ({"match_time": None}, {"match_time": None, "kickoff": None}),
        # A day that moves takes its time of day along, over the change of the clocks too.
        (
            {"match_date": "2025-11-08"},
            {"match_date": "2025-11-08", "kickoff": "2025-11-08T15:00:00+00:00"},
        ),
        ({"home_score": 4, "away_score": 4}, {"home_score": 4, "away_score": 4}),
        # Status and scores are said together.
        (
            {"match_status": "postponed"},
            {"match_status": "postponed", "home_score": None, "away_score": None},
        ),
        (
            {"home_score": None},
            {"match_status": "scheduled", "home_score": None, "away_score": None},
        ),
        (
            {"away_score": None},
            {"match_status": "scheduled", "home_score": None, "away_score": None},
        ),
        # A null says nothing of these.
        ({"league": None, "division": None, "division_id": None}, {}),
        ({"external_match_id": None, "notes": None, "source": None, "match_status": None}, {}),
        ({"league": "Academy"}, {"league": "Academy"}),
        ({"notes": "hot", "source": "queue"}, {"notes": "hot", "source": "queue"}),
        ({"season": "2025-2026", "age_group": "U15"}, {"age_group": "U15"}),
    ],
)
def test_what_a_newer_observation_says_is_shown_and_the_rest_stays(
    said: dict[str, Any], changed: dict[str, Any]
) -> None:
    before = full()
    assert after(before, told(**said)) == full() | changed
    assert before == full()  # what was handed in is not written to


@pytest.mark.parametrize("home", ["Beta", "BETA"])
def test_a_score_stays_with_its_team_when_the_sides_are_turned(home: str) -> None:
    turned = {"home_team": home, "away_team": "Alpha"}
    scores = {"home_score": 1, "away_score": 3}
    assert after(full(), told(**turned)) == full() | turned | scores
    own = {"home_score": 5, "away_score": 0}
    assert after(full(), told(**turned, **own)) == full() | turned | own


# Held against the store.


def stored(**other: Any) -> dict[str, Any]:
    return {**full(), "identity": "77", "id": 1, **other}


def test_a_difference_says_what_is_stored_and_what_is_true() -> None:
    assert compare([stored(home_score=9)], {"77": full()}) == [Mismatch("77", "home_score", 9, 3)]
    assert str(Mismatch("77", "notes", None, "cold")) == "77 notes: stored None, true is 'cold'"


def test_every_difference_of_every_match_is_found() -> None:
    """One that is too many or too few does not end the search."""
    there = [
        stored(identity="a", notes="x", location="y"),
        stored(identity="stranger"),
        stored(identity="b", source=None),
    ]
    truth = {"a": full(), "gone": full(), "b": full(), "gone too": full()}
    assert compare(iter(there), truth) == [
        Mismatch("a", "location", "y", "Field 1"),
        Mismatch("a", "notes", "x", "cold"),
        Mismatch("stranger", "(unexpected)", "2025-10-18", None),
        Mismatch("b", "source", None, "pages"),
        Mismatch("gone", "(missing)", None, "2025-10-18"),
        Mismatch("gone too", "(missing)", None, "2025-10-18"),
    ]
    assert truth.keys() == {"a", "gone", "b", "gone too"}  # it is not used up


def test_a_match_that_is_stored_twice_is_one_too_many() -> None:
    found = compare([stored(), stored(id=2)], {"77": full()})
    assert [(each.identity, each.field) for each in found] == [("77", "(unexpected)")]
    found = compare([stored(), stored(identity="~old")], {"77": full()}, {"~old": "77"})
    assert [(each.identity, each.field) for each in found] == [("77", "(unexpected)")]


def test_a_match_may_be_stored_under_another_of_its_identities() -> None:
    truth = {"77": full()}
    assert compare([stored(identity="~old")], truth, {"~old": "77"}) == []
    assert compare([stored(identity=77)], truth, {"~old": "77"}) == []
    assert len(compare([stored(identity="~old")], truth, {"~other": "77"})) == 2


@pytest.mark.parametrize(
    ("true", "is_stored", "differs"),
    [
        (None, "77", False),  # others may have told the number
        (None, None, False),
        (None, "78", True),
        ("77", "77", False),
        ("77", None, True),
        ("78", "77", True),
    ],
)
def test_a_number_that_the_truth_does_not_know_may_be_its_own(
    true: str | None, is_stored: str | None, differs: bool
) -> None:
    truth = {"77": full() | {"external_match_id": true}}
    found = compare([stored(external_match_id=is_stored)], truth)
    assert [each.field for each in found] == ["external_match_id"] * differs


def test_only_a_number_may_be_known_to_others() -> None:
    truth = {"77": full() | {"notes": None}}
    assert [each.field for each in compare([stored(notes="77")], truth)] == ["notes"]


@pytest.mark.parametrize(
    ("field", "shown", "same"),
    [
        ("kickoff", "2025-10-18T10:00:00-04:00", True),
        ("kickoff", "2025-10-18T14:00:00Z", True),
        ("kickoff", "2025-10-18T14:00:01Z", False),
        ("kickoff", "at two", False),
        ("kickoff", None, False),
        ("home_team", "ALPHA", True),
        ("away_team", "bETA", True),
        ("home_team", "Alpha FC", False),
        ("home_team", None, False),
        ("location", "FIELD 1", False),
        ("home_score", "3", False),
    ],
)
def test_a_time_is_one_moment_and_a_team_one_team_however_it_is_written(
    field: str, shown: Any, same: bool
) -> None:
    assert (compare([stored(**{field: shown})], {"77": full()}) == []) is same


def test_a_field_that_the_api_does_not_show_differs() -> None:
    there = stored()
    del there["notes"]
    assert compare([there], {"77": full()}) == [Mismatch("77", "notes", None, "cold")]


# The newest.


def test_a_stored_match_is_its_newest_receipt() -> None:
    newest = {1: (BEGUN, "m1"), 2: (BEGUN, "m2"), 3: (BEGUN, "never asked for")}
    there = [
        {"id": 1, "identity": "a", "observed_at": BEGUN.isoformat(), "message_id": "m1"},
        {"id": 2, "identity": "b", "observed_at": "2025-10-18T10:00:00-04:00", "message_id": "m2"},
    ]
    assert compare_newest(there, newest) == []


def test_an_older_state_another_message_and_one_without_a_receipt_are_each_named() -> None:
    older = (BEGUN - timedelta(seconds=1)).isoformat()
    now = BEGUN.isoformat()
    there = [
        {"id": 1, "identity": "a", "observed_at": older, "message_id": "m1"},
        {"id": 2, "identity": "b", "observed_at": now, "message_id": "m1"},
        {"id": 3, "identity": "c", "observed_at": now, "message_id": "m3"},
        {"id": 4, "identity": "d"},
    ]
    newest = {1: (BEGUN, "m1"), 2: (BEGUN, "m2"), 4: (BEGUN, "m4")}
    assert compare_newest(there, newest) == [
        Mismatch("a", "observed_at", older, BEGUN),
        Mismatch("b", "message_id", "m1", "m2"),
        Mismatch("c", "observed_at", now, ""),
        Mismatch("c", "message_id", "m3", ""),
        Mismatch("d", "observed_at", None, BEGUN),
        Mismatch("d", "message_id", None, "m4"),
    ]
