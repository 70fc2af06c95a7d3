"""`GET /api/…`: filters, pages, the table, and parameters of all kinds."""

from __future__ import annotations

from typing import Any

import pytest

from system.backend import queries
from system.backend.tests.messages import MATCH, message
from system.backend.tests.serving import Client

pytestmark = pytest.mark.services


def _store(api: Client, *matches: dict[str, Any]) -> None:
    batch = [
        message(f"m{n}", **{"external_match_id": f"x{n:02}", **fields}).model_dump(mode="json")
        for n, fields in enumerate(matches)
    ]
    status, body = api.post(batch)
    assert (status, {each["effect"] for each in body["outcomes"]}) == (200, {"created"})


def _ids(api: Client, **query: Any) -> list[str]:
    status, body = api.get("/api/matches", **query)
    assert status == 200, body
    return [each["identity"] for each in body["matches"]]


def test_a_match_is_given_back_as_it_was_sent_and_more(api: Client) -> None:
    _store(api, {"external_match_id": "101201", "location": "Field 3"})
    status, match = api.get("/api/matches/1")
    assert status == 200
    assert {name: match[name] for name in MATCH} == MATCH
    assert match["location"] == "Field 3"
    assert match["kickoff"] == "2025-10-18T14:00:00Z"
    assert (match["identity"], match["message_id"]) == ("101201", "m0")
    assert (match["match_status"], match["home_score"]) == ("scheduled", None)
    assert api.get("/api/matches")[1]["matches"] == [match]


def test_a_match_that_is_not_there_is_not_found(api: Client) -> None:
    status, body = api.get("/api/matches/7")
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert "7" in body["error"]["message"]


def test_each_filter_keeps_what_it_names(api: Client) -> None:
    _store(
        api,
        {"season": "2024-25", "match_date": "2024-10-18"},
        {"age_group": "U15"},
        {"league": "Academy"},
        {"league": None, "division": None},
        {"home_team": "Weston FC"},
        {"away_team": "Weston FC"},
        {"home_score": 1, "away_score": 1},
        {"match_date": "2025-11-02"},
    )
    for query, expected in (
        ({"season": "2024-2025"}, ["x00"]),
        ({"season": "2024-25"}, ["x00"]),
        ({"age_group": "U15"}, ["x01"]),
        ({"league": "Academy"}, ["x02"]),
        ({"league": ""}, ["x03"]),
        ({"division": ""}, ["x03"]),
        ({"team": "Weston FC"}, ["x04", "x05"]),
        ({"team": "WESTON FC Championship Qualification"}, ["x04", "x05"]),
        ({"status": "completed"}, ["x06"]),
        ({"date_from": "2025-11-01"}, ["x07"]),
        ({"date_to": "2024-10-01"}, []),
        ({"external_match_id": "x03"}, ["x03"]),
        ({"team": "Weston FC", "external_match_id": "x05"}, ["x05"]),
        ({"division": "North%"}, []),
        ({}, [f"x{n:02}" for n in range(8)]),
    ):
        assert _ids(api, **query) == expected, query


def test_pages_give_each_match_once_while_matches_change_and_come(api: Client) -> None:
    _store(api, *({} for _ in range(25)))
    seen: list[str] = []
    cursor: dict[str, Any] = {}
    for page in range(100):
        status, body = api.get("/api/matches", limit=4, **cursor)
        assert status == 200
        seen += [each["identity"] for each in body["matches"]]
        if body["next"] is None:
            break
        cursor = {"cursor": body["next"]}
        moved = message(f"p{page}", minute=page + 1, match_date=f"2025-09-{page + 1:02}")
        moved.match["external_match_id"] = f"x{24 - page:02}"
        api.post(moved.model_dump(mode="json"))
    assert seen == [f"x{n:02}" for n in range(25)]


def test_a_last_page_that_is_just_full_is_the_last(api: Client) -> None:
    _store(api, *({} for _ in range(4)))
    status, body = api.get("/api/matches", limit=4)
    assert (status, len(body["matches"]), body["next"]) == (200, 4, None)


def test_the_table_counts_league_matches_that_are_over(api: Client) -> None:
    _store(
        api,
        {"home_score": 2, "away_score": 0},
        {"home_score": 0, "away_score": 3, "match_status": "forfeit"},
        {"home_score": 1, "away_score": 0, "match_status": "live"},
        {"home_team": "Seacoast United"},
        {"home_score": 9, "away_score": 0, "match_type": "Friendly"},
        {"home_score": 9, "away_score": 0, "age_group": "U15"},
        {"home_score": 9, "away_score": 0, "division": "Florida"},
        {"home_score": 9, "away_score": 0, "league": "Academy"},
        {"home_score": 9, "away_score": 0, "season": "2024-25", "match_date": "2024-10-18"},
    )
    group = {"season": "2025-26", "age_group": "U14", "division": "Northeast"}
    status, body = api.get("/api/table", **group, league="Homegrown")
    assert status == 200
    rows = [(r["rank"], r["team"], r["played"], r["points"], r["form"]) for r in body["rows"]]
    assert rows == [
        (1, "Bayside FC", 2, 3, "LW"),
        (2, "NEFC", 2, 3, "WL"),
        (3, "Seacoast United", 0, 0, ""),
    ]
    assert body["rows"][0]["goal_difference"] == 1


def test_a_team_that_visits_a_division_is_not_in_its_table(api: Client) -> None:
    visit = {"away_team": "Weston FC", "home_score": 5, "away_score": 0}
    _store(
        api,
        {"home_score": 1, "away_score": 0},
        visit,  # listed in the Northeast
        *(
            {
                "home_team": "Weston FC",
                "away_team": "IMG",
                "division": "Florida",
                "match_date": f"2025-10-{day}",
            }
            for day in range(10, 18)
        ),
    )
    group = {"season": "2025-26", "age_group": "U14", "league": "Homegrown"}
    _, body = api.get("/api/table", **group, division="Northeast")
    assert [(r["team"], r["played"], r["points"]) for r in body["rows"]] == [
        ("NEFC", 1, 3),
        ("Bayside FC", 1, 0),
    ]
    _, body = api.get("/api/table", **group, division="Florida")
    assert "Weston FC" in [r["team"] for r in body["rows"]]


def test_a_table_of_too_many_matches_is_refused_and_not_cut(
    api: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(api, *({"division": f"D{n}"} for n in range(4)))
    monkeypatch.setattr(queries, "TABLE_MATCHES_MAX", 3)
    status, body = api.get("/api/table", season="2025-26", age_group="U14")
    assert (status, body["error"]["code"]) == (422, "too_many_matches")
    assert api.get("/api/table", season="2025-26", age_group="U14", division="D1")[0] == 200


def test_a_match_says_which_others_it_may_be(api: Client) -> None:
    _store(
        api,
        {},
        {"match_time": "16:00"},
        {"match_time": "12:00", "external_match_id": None},
    )
    found = api.get("/api/matches")[1]["matches"]
    assert [each["possible_duplicates"] for each in found] == [[3], [3], [1, 2]]


def test_a_score_before_the_end_is_shown_as_live_and_one_before_kickoff_not_at_all(
    api: Client,
) -> None:
    nil = {"home_score": 0, "away_score": 0, "match_status": "completed"}
    _store(
        api,
        nil | {"observed_at": "2025-10-18T14:05:00Z"},
        nil | {"observed_at": "2025-10-18T12:00:00Z"},
    )
    found = api.get("/api/matches")[1]["matches"]
    assert [(each["match_status"], each["home_score"]) for each in found] == [
        ("live", 0),
        ("scheduled", None),
    ]
    _, body = api.get("/api/table", season="2025-26", age_group="U14", league="Homegrown")
    assert {each["played"] for each in body["rows"]} == {0}


BAD_QUERIES: list[tuple[str, dict[str, str]]] = [
    ("/api/matches", {"team": "\x00"}),
    ("/api/matches", {"division": "a\nb"}),
    ("/api/matches", {"external_match_id": "x" * 1000}),
    ("/api/matches", {"season": "2025"}),
    ("/api/matches", {"age_group": "14"}),
    ("/api/matches", {"status": "lost"}),
    ("/api/matches", {"date_from": "2025-02-30"}),
    ("/api/matches", {"limit": "0"}),
    ("/api/matches", {"limit": "1001"}),
    ("/api/matches", {"limit": "9" * 5000}),
    ("/api/matches", {"cursor": "-1"}),
    ("/api/matches", {"cursor": "9" * 30}),
    ("/api/matches", {"unknown": "1"}),
    ("/api/matches/0", {}),
    ("/api/matches/x", {}),
    (f"/api/matches/{2**63}", {}),
    ("/api/matches/" + "9" * 5000, {}),
    ("/api/table", {}),
    ("/api/table", {"season": "2025-26", "age_group": "U14", "league": "\x00"}),
    ("/api/receipts", {"after": "x"}),
    ("/api/receipts", {"after": f"{2**64}.0"}),
    ("/api/receipts", {"limit": "5001"}),
    ("/", {"season": "\x00"}),
]


@pytest.mark.parametrize(("path", "query"), BAD_QUERIES)
def test_wrong_parameters_are_refused_and_named(
    backend: Client, path: str, query: dict[str, str]
) -> None:
    status, body = backend.get(path, **query)
    assert status == 422
    assert set(body["error"]) == {"code", "message", "details"}
    assert not any(value in str(body) for value in query.values() if len(value) > 40)


def test_unknown_addresses_and_methods_have_the_same_shape_of_error(backend: Client) -> None:
    status, body = backend.get("/nowhere")
    assert (status, body["error"]["code"]) == (404, "not_found")
    answer = backend.raw("DELETE", "/api/matches")
    assert (answer.status, answer.json()["error"]["code"]) == (405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"] or "POST" in answer.headers["Allow"]
