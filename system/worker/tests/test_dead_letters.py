"""The operator's commands, on the real broker."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from system.contract import envelope as wire
from system.contract.reasons import Reason
from system.contract.topology import (
    DEAD_LETTER_EXCHANGE,
    DEAD_LETTER_QUEUE,
    PROCESS_QUEUE,
    VALIDATE_QUEUE,
)
from system.worker.dead_letters.__main__ import app
from system.worker.tests.bench import JSON, Bench, a_match, until

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

DIED_AT = "2025-10-18T12:00:00+00:00"


def _bury(bench: Bench, envelope: wire.Envelope, **headers: Any) -> str:
    """Put a message among the dead letters, as a worker would."""
    death = {
        wire.DEAD_REASON: "exhausted",
        wire.DEAD_DETAIL: "after 100 attempts: ApiUnavailable",
        wire.DEAD_QUEUE: PROCESS_QUEUE,
        wire.DEAD_AT: DIED_AT,
        wire.ATTEMPT: 100,
    }
    bench.put(
        envelope.body,
        exchange=DEAD_LETTER_EXCHANGE,
        key=DEAD_LETTER_QUEUE,
        headers={**envelope.headers, **death, **headers},
        message_id=envelope.message_id,
        **JSON,
    )
    return envelope.message_id


def _do(bench: Bench, *words: str) -> Result:
    return CliRunner().invoke(
        app, list(words), env={"MISSING_TABLE_BROKER_URL": bench.urls["operator"]}
    )


def test_the_list_tells_each_death_and_filters_narrow_it(bench: Bench) -> None:
    one = _bury(bench, a_match())
    two = _bury(bench, a_match(), dead_reason="invalid", dead_at="2025-11-18T12:00:00+00:00")
    listed = _do(bench, "list", "--json")
    assert listed.exit_code == 0
    told = {line["message_id"]: line for line in map(json.loads, listed.stdout.splitlines())}
    assert told[one] == {
        "message_id": one,
        "task": wire.PROCESS_TASK,
        "reason": "exhausted",
        "detail": "after 100 attempts: ApiUnavailable",
        "queue": PROCESS_QUEUE,
        "died_at": DIED_AT,
        "attempts": 100,
        "replays": 0,
    }
    for filters, found in {
        ("--reason", "invalid"): {two},
        ("--reason", "invalid", "--reason", "exhausted"): {one, two},
        ("--task", "somebody.else"): set(),
        ("--since", "2025-11-01T00:00:00Z"): {two},
        ("--id", one): {one},
        ("--id", one, "--reason", "invalid"): set(),
    }.items():
        lines = _do(bench, "list", "--json", *filters).stdout.splitlines()
        assert {json.loads(line)["message_id"] for line in lines} == found, filters
    assert {letter.message_id for letter in bench.letters()} == {one, two}, "looking took some out"


def test_the_table_says_how_many_it_does_not_show(bench: Bench) -> None:
    for _ in range(3):
        _bury(bench, a_match())
    shown = _do(bench, "list", "--limit", "2").stdout
    assert "2 of the 3 are shown" in shown
    assert shown.count("after 100 attempts") == 2


def test_the_list_begins_with_the_reasons_and_what_to_do_about_each(bench: Bench) -> None:
    _bury(bench, a_match(), dead_reason="invalid", dead_at="2025-10-19T14:00:00+02:00")
    for hour in (9, 8):
        _bury(bench, a_match(), dead_at=f"2025-10-18T0{hour}:00:00+00:00")
    shown = _do(bench, "list", "--limit", "1").stdout
    first, _, _, *reasons = [line.split("  ") for line in shown.splitlines()[:5]]
    assert first == ["3 dead letters"]
    words = [[word.strip() for word in line if word.strip()] for line in reasons]
    assert words[0][:4] == ["exhausted", "2", "2025-10-18 08:00:00", "2025-10-18 09:00:00"]
    assert words[1][:4] == ["invalid", "1", "2025-10-19 12:00:00", "2025-10-19 12:00:00"]
    assert "replay" in words[0][4]
    assert "discard" in words[1][4]


def test_an_empty_list_is_said_in_words(bench: Bench) -> None:
    assert "No dead letters" in _do(bench, "list", "--reason", "maxlen").stdout


@pytest.mark.parametrize("command", ["list", "replay", "discard --forget"])
def test_a_mistyped_reason_is_an_error_that_lists_the_reasons(command: str) -> None:
    """An empty answer would mean that nothing has died of it."""
    words = [*command.split(), "--reason", "exausted"]
    answer = CliRunner().invoke(app, words, env={"COLUMNS": "400"})
    assert answer.exit_code == 2
    assert "'exausted' is no reason (did you mean exhausted?)" in answer.output
    for reason in (*Reason, "unroutable", "delivery_limit", "rejected"):
        assert reason in answer.output


def test_what_would_die_again_is_kept_with_its_fault_until_a_person_insists(bench: Bench) -> None:
    broken = _bury(bench, a_match(home_score=-1), dead_reason="invalid")
    good = _bury(bench, a_match(), dead_reason="invalid")  # this version knows better
    for words in (["--dry-run"], []):
        kept = _do(bench, "replay", "--reason", "invalid", *words)
        assert kept.exit_code == 1
        assert "would die again (--force sends it all the same): home_score = -1" in kept.stdout
        assert "1 would be kept, 1 would be replayed" in kept.stdout or not words
    assert {letter.message_id for letter in bench.letters()} == {broken}
    bench.receipt(good)
    assert _do(bench, "replay", "--id", broken, "--force").exit_code == 0
    until("it to die again", lambda: [d.replays for d in bench.letters(broken)] == [1])


@pytest.mark.parametrize("kind", ["in its body", "in a header", "as AMQP's correlation"])
def test_a_message_that_the_gate_refuses_keeps_its_own_id(kind: str, bench: Bench) -> None:
    """By that its sender knows it, and it can be looked for; it had a new one each time."""
    message_id = wire.new_message_id()
    body = {"task": "of.yesterday", "args": [], "kwargs": {}}
    if kind == "in its body":
        bench.put(json.dumps(body | {"id": message_id}).encode(), **JSON)
    elif kind == "in a header":
        bench.put(b"no JSON", headers={"task": "x", "id": message_id}, **JSON)
    else:
        bench.put(json.dumps(body).encode(), correlation_id=message_id, **JSON)
    assert bench.letter(message_id).queue == PROCESS_QUEUE


def test_show_prints_headers_and_body_and_never_an_escape_sequence(bench: Bench) -> None:
    hidden = "\u2067 right to left \x1b[31mred"
    known = _bury(bench, a_match(location=hidden), dead_detail=hidden)
    broken = wire.Envelope(wire.new_message_id(), b"\xff\xfe no JSON \x1b[2J", {})
    _bury(bench, broken)
    page = _do(bench, "show", known)
    assert page.exit_code == 0
    assert '"home_team": "NEFC"' in page.stdout
    assert "dead_reason: 'exhausted'" in page.stdout
    raw = _do(bench, "show", broken.message_id).stdout
    assert r"\xff\xfe no JSON \x1b[2J" in raw
    listed = _do(bench, "list").stdout
    assert r"\x1b[31mred" in listed
    assert not {"\x1b", "\u2067"} & set(page.stdout + raw + listed)


def test_show_of_an_id_that_is_not_there_says_so(bench: Bench) -> None:
    answer = _do(bench, "show", "no-such-id")
    assert answer.exit_code == 1
    assert "no dead letter has the id no-such-id" in answer.stderr


def test_a_replayed_message_takes_effect_under_its_own_id_at_a_first_attempt(bench: Bench) -> None:
    message_id = _bury(bench, a_match())
    answer = _do(bench, "replay", "--id", message_id)
    assert answer.exit_code == 0, answer.output
    assert f"{message_id}  replayed to {PROCESS_QUEUE}" in answer.stdout
    receipt = bench.receipt(message_id)
    assert receipt["attempt"] == 1
    assert bench.letters(message_id) == []


def test_a_message_that_dies_again_counts_its_replays_until_a_person_has_to_insist(
    bench: Bench,
) -> None:
    message_id = _bury(bench, a_match(home_score=-1), replays=4)
    assert _do(bench, "replay", "--id", message_id, "--force").exit_code == 0
    again = bench.letter(message_id)
    assert (again.reason, again.replays, again.attempts) == ("invalid", 5, 1)
    kept = _do(bench, "replay", "--id", message_id)
    assert kept.exit_code == 1
    assert "kept it was replayed 5 times already" in kept.stdout
    assert _do(bench, "replay", "--id", message_id, "--force").exit_code == 0
    until("it to die once more", lambda: [d.replays for d in bench.letters(message_id)] == [6])


def test_a_body_that_is_no_json_is_replayed_only_by_force(bench: Bench) -> None:
    envelope = wire.Envelope(wire.new_message_id(), b"\xff no JSON", {})
    message_id = _bury(bench, envelope)
    kept = _do(bench, "replay", "--id", message_id)
    assert kept.exit_code == 1
    assert "not JSON" in kept.stdout
    assert _do(bench, "replay", "--id", message_id, "--force").exit_code == 0
    until("it to die again", lambda: [d.replays for d in bench.letters(message_id)] == [1])
    assert bench.letter(message_id).reason == "unreadable"


def test_a_dead_letter_whose_queue_nobody_knows_is_kept(bench: Bench) -> None:
    message_id = _bury(bench, a_match(), dead_queue="amq.somewhere")
    kept = _do(bench, "replay", "--id", message_id, "--force")
    assert kept.exit_code == 1
    assert "'amq.somewhere'" in kept.stdout


def test_a_dry_run_says_everything_and_does_nothing(bench: Bench) -> None:
    message_id = _bury(bench, a_match())
    for words in (["replay"], ["discard", "--forget"]):
        answer = _do(bench, *words, "--id", message_id, "--dry-run", "--json")
        assert answer.exit_code == 0
        assert json.loads(answer.stdout)["dry_run"] is True
    assert [letter.replays for letter in bench.letters(message_id)] == [0]
    assert bench.receipts(message_id) == []


def test_the_oldest_are_replayed_first_up_to_the_limit(bench: Bench) -> None:
    oldest, *others = [_bury(bench, a_match()) for _ in range(3)]
    answer = _do(bench, "replay", "--limit", "1")
    assert "1 replayed" in answer.stdout
    bench.receipt(oldest)
    assert {letter.message_id for letter in bench.letters()} == set(others)


def test_a_replay_keeps_the_time_of_the_first_publish(bench: Bench) -> None:
    """Of a sender without our headers only AMQP's timestamp knows it; see how old it was then."""
    envelope = a_match()
    payload = {**envelope.arguments[0]}
    del payload["observed_at"]
    body = {"id": envelope.message_id, "task": wire.PROCESS_TASK, "args": [payload], "kwargs": {}}
    bench.put(
        json.dumps(body).encode(),
        exchange=DEAD_LETTER_EXCHANGE,
        key=DEAD_LETTER_QUEUE,
        headers={wire.DEAD_QUEUE: PROCESS_QUEUE, wire.DEAD_REASON: "exhausted"},
        timestamp=1_763_000_000,
        **JSON,
    )
    assert _do(bench, "replay", "--id", envelope.message_id).exit_code == 0
    assert bench.receipt(envelope.message_id)["observed_at"].timestamp() == 1_763_000_000


def test_discarded_letters_are_in_the_file_before_they_are_gone(
    bench: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "discarded.jsonl"
    file.write_text('{"torn by a crash')
    known = _bury(bench, a_match())
    broken = _bury(bench, wire.Envelope(wire.new_message_id(), b"\xff", {}))
    answer = _do(bench, "discard", "--reason", "exhausted", "--to", str(file))
    assert answer.exit_code == 0, answer.output
    _torn, *lines = file.read_text().splitlines()
    kept = {line["message_id"]: line for line in map(json.loads, lines)}
    assert kept.keys() == {known, broken}
    assert json.loads(kept[known]["body"])[0][0]["home_team"] == "NEFC"
    assert kept[broken]["body_base64"] == "/w=="
    assert kept[known]["headers"]["attempt"] == 100
    assert bench.letters() == []


def test_a_file_that_cannot_be_written_stops_before_anything_is_gone(
    bench: Bench, tmp_path: Path
) -> None:
    message_id = _bury(bench, a_match())
    answer = _do(bench, "discard", "--all", "--to", str(tmp_path / "no" / "such" / "folder"))
    assert answer.exit_code == 2
    assert "cannot write" in answer.stderr
    assert len(bench.letters(message_id)) == 1


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["discard", "--all"], "--to FILE or --forget"),
        (["discard", "--forget"], "filters or --all"),
        (["list", "--since", "yesterday"], "must be like 30m"),
        (["list", "--since", "2025-10-18T12:00:00"], "offset"),
    ],
)
def test_a_wrong_question_is_answered_with_what_was_meant(words: list[str], asked: str) -> None:
    answer = CliRunner().invoke(app, words)
    assert answer.exit_code == 2
    assert asked in " ".join(answer.output.replace("│", "").split())


def test_a_broker_that_is_away_is_one_sentence_and_exit_code_2() -> None:
    command = [sys.executable, "-m", "system.worker.dead_letters", "list"]
    for url, words in {
        None: "MISSING_TABLE_BROKER_URL is not set",
        "amqp://operator:x@127.0.0.1:9/%2F": "stopped: the broker",
    }.items():
        env = {k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")}
        env |= {"MISSING_TABLE_BROKER_URL": url} if url else {}
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=60, check=False, env=env
        )
        assert done.returncode == 2
        assert words in done.stderr
        assert "Traceback" not in done.stderr


def test_a_validation_that_died_goes_back_to_its_own_queue(bench: Bench) -> None:
    message_id = _bury(bench, a_match(task=wire.VALIDATE_TASK), dead_queue=VALIDATE_QUEUE)
    answer = _do(bench, "replay", "--id", message_id)
    assert f"replayed to {VALIDATE_QUEUE}" in answer.stdout
