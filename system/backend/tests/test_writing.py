"""`POST /api/matches`: what it answers, and that nothing a client sends makes it fail."""

from __future__ import annotations

import json
import socket
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from system.backend.tests.messages import message
from system.backend.tests.serving import TOKEN, Client
from system.contract.submission import BATCH_MAX, BODY_BYTES_MAX

pytestmark = pytest.mark.services
JSON = {"Content-Type": "application/json", "Authorization": f"Bearer {TOKEN}"}


def _message(message_id: str, **fields: Any) -> dict[str, Any]:
    return message(message_id, **fields).model_dump(mode="json")


def _is_error(body: Any, code: str | None = None) -> bool:
    error = body["error"]
    assert set(error) == {"code", "message", "details"}
    assert error["message"].endswith(".")
    return code is None or error["code"] == code


def test_a_single_message_is_answered_by_its_outcome(api: Client) -> None:
    status, outcome = api.post(_message("a"))
    assert (status, outcome["effect"], outcome["match_id"]) == (201, "created", 1)
    for message_id, minute, effect in (
        ("a", 0, "duplicate"),
        ("b", 1, "unchanged"),
        ("c", 0.5, "stale"),
    ):
        status, outcome = api.post(_message(message_id, minute=minute))
        assert (status, outcome["effect"], outcome["message_id"]) == (200, effect, message_id)


def test_a_single_message_that_breaks_the_contract_is_told_every_rule(api: Client) -> None:
    status, body = api.post(_message("a", home_score=-1, league="Other", team="x"))
    assert status == 422
    assert (body["effect"], body["message_id"], body["match_id"]) == ("invalid", "a", None)
    assert {each["field"] for each in body["violations"]} == {"home_score", "league", "team"}
    assert _is_error(body, "invalid")
    assert api.get("/api/receipts")[1]["receipts"] == []


def test_a_batch_is_answered_one_by_one_and_broken_ones_are_invalid_alone(api: Client) -> None:
    batch = [
        _message("a"),
        _message("b", home_score="3", away_score=1),
        7,
        {"message_id": "c"},
        {"message_id": "no spaces", "match": {}},
        _message("d", external_match_id="2") | {"surprise": 1},
        _message("a"),
        _message("e", external_match_id="3"),
    ]
    status, body = api.post(batch)
    assert status == 200
    assert [(each["message_id"], each["effect"]) for each in body["outcomes"]] == [
        ("a", "created"),
        ("b", "invalid"),
        ("", "invalid"),
        ("c", "invalid"),
        ("", "invalid"),
        ("d", "invalid"),
        ("a", "duplicate"),
        ("e", "created"),
    ]
    assert all(
        bool(each["violations"]) == (each["effect"] == "invalid") for each in body["outcomes"]
    )


def test_an_empty_batch_has_no_outcomes(api: Client) -> None:
    assert api.post([]) == (200, {"outcomes": []})


def test_a_batch_may_be_as_large_as_the_contract_says_and_no_larger(api: Client) -> None:
    batch = [_message(f"m{n}", external_match_id=f"x{n}") for n in range(BATCH_MAX + 1)]
    status, body = api.post(batch)
    assert status == 413
    assert _is_error(body, "batch_too_large")
    status, body = api.post(batch[:BATCH_MAX])
    assert status == 200
    assert {each["effect"] for each in body["outcomes"]} == {"created"}


def test_writing_needs_the_token(api: Client) -> None:
    status, body = api.post(_message("a"), token="wrong")
    assert status == 403
    assert _is_error(body, "token_wrong")
    for headers in ({}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}):
        answer = api.raw("POST", "/api/matches", body=b"[]", headers=headers)
        assert answer.status == 401, headers
        assert answer.headers["WWW-Authenticate"] == "Bearer"
        assert _is_error(answer.json(), "token_missing")
    assert api.post(_message("a"), token="tökén")[0] == 403
    assert api.get("/api/receipts")[1]["receipts"] == []


DEEP = 100_000
BAD_BODIES = {
    "empty": b"",
    "no JSON": b"{not json",
    "NaN": b'{"message_id": "a", "match": NaN}',
    "infinite": b"[-Infinity]",
    "an integer of thousands of digits": b"9" * 5000,
    "nested deeply": b"[" * DEEP + b"]" * DEEP,
    "not UTF-8": b'{"message_id": "\xff"}',
    "cut off": b'[{"message_id": "a", "match": {',
    "two documents": b"[] []",
}


@pytest.mark.parametrize("body", BAD_BODIES.values(), ids=BAD_BODIES)
def test_what_is_no_json_is_malformed(api: Client, body: bytes) -> None:
    status, answer = api.post(body)
    assert status == 400
    assert _is_error(answer, "malformed_json")


BAD_MESSAGES: dict[str, Any] = {
    "NUL in a name": {"home_team": "NE\x00FC"},
    "NUL in notes": {"notes": "\x00"},
    "lone surrogate in a name": {"home_team": "\ud800"},
    "lone surrogate in notes": {"notes": "\udfff"},
    "lone surrogate as a field": {"\ud800": 1},
    "huge score": {"home_score": 10**4000, "away_score": 1},
    "infinite score": {"home_score": 1e308 * 10, "away_score": 1},
    "score as text": {"home_score": "1", "away_score": "1"},
    "true as a score": {"home_score": True, "away_score": True},
    "huge division": {"division_id": 2**31},
    "no such day": {"match_date": "2025-02-30"},
    "year 0": {"match_date": "0000-01-01"},
    "beyond the calendar": {"match_date": "9999-12-31", "match_time": "23:59"},
    "seen before the calendar": {"observed_at": "0001-01-01T00:00:00+14:00"},
    "seen without an offset": {"observed_at": "2025-10-18T12:00:00"},
    "a list as a team": {"home_team": ["NEFC"]},
    "one team twice": {"home_team": "Bayside FC"},
    "a very long name": {"home_team": "x" * 10_000},
    "many unknown fields": {f"field{n}": n for n in range(20_000)},
}


@pytest.mark.parametrize("fields", BAD_MESSAGES.values(), ids=BAD_MESSAGES)
def test_a_message_with_anything_in_it_is_invalid_and_alone(
    api: Client, fields: dict[str, Any]
) -> None:
    bad = _message("bad")
    bad["match"].update(fields)
    body = json.dumps([bad, _message("good")]).replace("Infinity", "1e999").encode()
    status, answer = api.post(body)
    assert status == 200
    assert [each["effect"] for each in answer["outcomes"]] == ["invalid", "created"]
    assert 0 < len(answer["outcomes"][0]["violations"]) <= 50
    assert len(json.dumps(answer)) < 50_000


BAD_WRAPPINGS: dict[str, dict[str, Any]] = {
    "lone surrogate as id": {"message_id": "\ud800"},
    "id of a wrong type": {"message_id": 7},
    "id too long": {"message_id": "x" * 129},
    "published in year 0": {"published_at": "0000-01-01T00:00:00Z"},
    "published before the calendar": {"published_at": "0001-01-01T00:00:00+14:00"},
    "published in no zone": {"published_at": "2025-10-18T12:00:00"},
    "published as a huge number": {"published_at": 10**300},
    "published as a number": {"published_at": 1760788800},
    "published as a number in text": {"published_at": "1760788800"},
    "unknown way": {"way": "pigeon"},
    "attempt 0": {"attempt": 0},
    "huge attempt": {"attempt": 10**4000},
}


@pytest.mark.parametrize("fields", BAD_WRAPPINGS.values(), ids=BAD_WRAPPINGS)
def test_a_broken_wrapping_is_invalid(api: Client, fields: dict[str, Any]) -> None:
    status, answer = api.post(_message("a") | fields)
    assert status == 422
    assert _is_error(answer, "invalid")
    assert answer["violations"]


@pytest.mark.parametrize("seen", ["9999-01-01T00:00:00Z", 1760788800, "1760788800", None])
def test_an_observation_from_the_future_or_by_a_number_freezes_no_match(
    api: Client, seen: Any
) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    status, answer = api.post(_message("a", observed_at=seen or tomorrow))
    assert status == 422
    assert "observed_at" in [each["field"] for each in answer["violations"]]
    assert api.post(_message("b"))[1]["effect"] == "created"


def test_no_depth_of_nesting_makes_it_fail(api: Client) -> None:
    """Somewhere between what the parser takes and what can be shown must be no gap."""
    for depth in range(500, 1100, 3):
        nested = b"[" * depth + b"]" * depth
        status, answer = api.post(b'{"message_id": "a", "match": {"home_team": ' + nested + b"}}")
        assert status in (400, 422), depth
        assert _is_error(answer)


def test_a_year_of_the_calendar_is_kept_and_read_back(api: Client) -> None:
    first: dict[str, Any] = {
        "match_date": "0001-01-01",
        "season": "0000-01",
        "observed_at": "0001-01-01T00:00:00Z",
    }
    last: dict[str, Any] = {"match_date": "9999-12-31", "season": "9999-00", "match_time": None}
    for n, fields in enumerate((first, last)):
        assert api.post(_message(f"m{n}", external_match_id=f"x{n}", **fields))[0] == 201
    assert [m["match_date"] for m in api.get("/api/matches")[1]["matches"]] == [
        "0001-01-01",
        "9999-12-31",
    ]
    assert len(api.get("/api/receipts")[1]["receipts"]) == 2


@pytest.mark.parametrize("kind", ["text/plain", "", "application/jsonx", "multipart/form-data"])
def test_only_json_is_taken(api: Client, kind: str) -> None:
    answer = api.raw("POST", "/api/matches", body=b"[]", headers={**JSON, "Content-Type": kind})
    assert answer.status == 415
    assert _is_error(answer.json(), "not_json")


def test_json_may_name_its_charset_and_must_not_be_compressed(api: Client) -> None:
    kind = {"Content-Type": "application/json; charset=utf-8"}
    assert api.raw("POST", "/api/matches", body=b"[]", headers=JSON | kind).status == 200
    packed = {"Content-Encoding": "gzip"}
    assert api.raw("POST", "/api/matches", body=b"[]", headers=JSON | packed).status == 415


def test_a_body_that_is_too_large_is_refused_before_it_is_sent(api: Client) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=60) as wire:
        wire.sendall(_head(f"Content-Length: {BODY_BYTES_MAX + 1}"))
        assert wire.recv(4096).startswith(b"HTTP/1.1 413")


def test_a_body_of_unknown_length_is_refused_once_it_is_too_large(api: Client) -> None:
    chunk = b"8000\r\n" + b" " * 0x8000 + b"\r\n"
    sent = 0
    with socket.create_connection(("127.0.0.1", api.port), timeout=60) as wire:
        wire.sendall(_head("Transfer-Encoding: chunked"))
        try:
            while sent < 64 * BODY_BYTES_MAX:
                wire.sendall(chunk)
                sent += 0x8000
        except OSError:  # refused and closed, while this side was still sending
            pass
    assert BODY_BYTES_MAX <= sent < 16 * BODY_BYTES_MAX
    assert api.post(_message("a"))[0] == 201


def test_the_largest_body_is_taken(api: Client) -> None:
    body = json.dumps(_message("a")).encode()
    assert api.post(body + b" " * (BODY_BYTES_MAX - len(body)))[0] == 201
    status, answer = api.post(body + b" " * (BODY_BYTES_MAX + 1 - len(body)))
    assert status == 413
    assert _is_error(answer, "body_too_large")


def test_a_client_that_leaves_in_the_middle_does_no_harm(api: Client) -> None:
    with socket.create_connection(("127.0.0.1", api.port), timeout=60) as wire:
        wire.sendall(_head("Content-Length: 1000") + b'{"message_id"')
    assert api.post(_message("a"))[0] == 201


def _head(*lines: str) -> bytes:
    fixed = ["POST /api/matches HTTP/1.1", "Host: test", f"Authorization: Bearer {TOKEN}"]
    return "\r\n".join([*fixed, "Content-Type: application/json", *lines, "", ""]).encode()
