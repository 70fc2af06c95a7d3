"""Every difference between store and truth is found, both ways."""

from __future__ import annotations

from typing import Any

import pytest

from lab.checker.model import FIELDS, after, compare, of
from lab.workload.league.season import Season
from system.contract import match as contract

SEASON = Season.generate(3, 40)
TRUE = {identity: of(each) for identity, each in SEASON.truth_at(SEASON.moments(1)[0]).items()}


def _stored() -> list[dict[str, Any]]:
    return [{**match, "identity": identity, "id": 1} for identity, match in TRUE.items()]


def test_a_store_that_holds_the_truth_has_no_differences() -> None:
    assert compare(_stored(), TRUE) == []


@pytest.mark.parametrize("field", FIELDS)
def test_any_field_that_differs_is_named(field: str) -> None:
    stored = _stored()
    stored[7][field] = "something else"
    (found,) = compare(stored, TRUE)
    assert (found.identity, found.field) == (stored[7]["identity"], field)


def test_a_match_too_few_or_too_many_is_named() -> None:
    stored = _stored()
    gone = stored.pop()
    stored.append({**gone, "identity": "stranger"})
    assert {(each.identity, each.field) for each in compare(stored, TRUE)} == {
        ("stranger", "(unexpected)"),
        (gone["identity"], "(missing)"),
    }


def test_the_truth_of_one_observation_has_every_field() -> None:
    match = contract.parse(
        {
            "home_team": "A",
            "away_team": "B",
            "match_date": "2025-10-18",
            "season": "2025-2026",
            "age_group": "U14",
            "match_type": "League",
            "home_score": 1,
            "away_score": 0,
        }
    )
    shown = of(match)
    assert set(FIELDS) <= shown.keys()
    assert (shown["season"], shown["match_status"]) == ("2025-26", "completed")


def test_what_an_observation_leaves_out_stays_as_it_was() -> None:
    said = {
        "home_team": "A",
        "away_team": "B",
        "match_date": "2025-10-18",
        "season": "2025-26",
        "age_group": "U14",
        "match_type": "League",
    }
    played = {"home_score": 1, "away_score": 0, "match_time": "10:00"}
    first = after(None, contract.parse(said | played))
    second = after(first, contract.parse(said | {"location": "Field 3"}))
    assert second == first | {"location": "Field 3"}
    third = after(second, contract.parse(said | {"match_status": "postponed", "match_time": None}))
    assert (third["match_status"], third["home_score"], third["kickoff"]) == (
        "postponed",
        None,
        None,
    )
    turned = said | {"home_team": "B", "away_team": "A", "division": None}
    fourth = after(second | {"division": "Florida"}, contract.parse(turned))
    assert (fourth["home_team"], fourth["home_score"], fourth["division"]) == ("B", 0, "Florida")
