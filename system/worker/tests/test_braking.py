"""Bugs of the worker's own code, wherever they are: they cost time, and no message."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from system.contract.topology import PROCESS_QUEUE, VALIDATE_QUEUE
from system.metrics.tests.looking import scraped
from system.tests.ports import free_port
from system.worker.tests.bench import Bench, a_match, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

OpenLab = Callable[..., Any]
MATCHES = 60
IN_A_ROW, CONCURRENCY, PREFETCH = 5, 2, 4


def _open(open_lab: OpenLab, wrapper: str, **settings: Any) -> Bench:
    """A system with one worker whose brake is quick."""
    chosen = {
        "brake_messages": IN_A_ROW,
        "brake_pause_s": 1,
        "brake_pause_max_s": 4,
        "prefetch_multiplier": PREFETCH,
        "batch_size": PREFETCH,
        **settings,
    }
    env = {f"MISSING_TABLE_{name.upper()}": str(value) for name, value in chosen.items()}
    env["WEAKENED"] = str(settings["weakened"])
    wrappers = {"worker": f"system.tests.weakened.{wrapper}"}
    return Bench(open_lab(concurrency=CONCURRENCY, settings={"worker": env}, wrapper=wrappers))


def _said(bench: Bench, event: str) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in bench.whole_log().splitlines() if line[:1] == "{"]
    return [line for line in lines if line["event"] == event]


def _assert_left_alone(bench: Bench) -> None:
    """The broker counts who was cancelled, too, until all that he holds is settled."""
    until("nobody to consume matches", lambda: bench.consumers(PROCESS_QUEUE) == 0)


def _shown(port: int, *, braked: int, consuming: int) -> dict[str, float]:
    """The metrics, as soon as they show this: now and then a match is tried."""

    def look() -> dict[str, float] | None:
        found = scraped(port) or {}
        state = found.get("worker_braked"), found.get("worker_consuming")
        return found if state == (braked, consuming) else None

    return until(f"braked to be {braked}, and consuming {consuming}", look)


@pytest.mark.parametrize(
    "place",
    ["gate", *(pytest.param(place, marks=pytest.mark.faults) for place in ("handle", "aside"))],
)
def test_a_bug_costs_its_message_nothing_but_time(
    place: str, open_lab: OpenLab, tmp_path: Path
) -> None:
    """Wherever it is, the message waits in the broker, and takes effect once it is repaired."""
    code = tmp_path / "broken"
    bench = _open(open_lab, "buggy_worker", weakened=code)
    code.write_text(place)
    message_id = bench.send(a_match())
    event = "failed" if place == "handle" else "bug"
    until("it to have failed twice", lambda: len(_said(bench, event)) >= 2)
    assert bench.letters() == []
    code.unlink()
    assert bench.receipt(message_id, within_s=60)["effect"] == "created"
    assert (bench.receipt(message_id)["attempt"] > 1) == (place != "aside")
    assert "ZeroDivisionError" in str(_said(bench, event)[0]["exception"])


def test_a_worker_that_does_nothing_but_fail_stops_taking_matches_until_one_takes_effect(
    open_lab: OpenLab, tmp_path: Path
) -> None:
    code, port = tmp_path / "share", free_port()
    bench = _open(
        open_lab, "refusing", weakened=code, metrics_port=port, metrics_folder=tmp_path / "metrics"
    )
    code.write_text("1 bug")
    matches = [bench.send(a_match()) for _ in range(MATCHES)]
    until("the third pause", lambda: len(_said(bench, "paused")) >= 3, within_s=120)
    _assert_left_alone(bench)
    assert bench.consumers(VALIDATE_QUEUE) == 1
    # In this order: each try that failed is followed by a pause.
    failed = [(line["timestamp"], line["message_id"]) for line in _said(bench, "failed")]
    first, *_ = paused = _said(bench, "paused")
    assert first["messages_in_a_row"] >= IN_A_ROW
    before = {message_id for at, message_id in failed if at < first["timestamp"]}
    assert len(before) >= IN_A_ROW - CONCURRENCY  # a child counts a failure, and then says it
    # What was in hand then, and one for each try.
    others = {message_id for _, message_id in failed} - before
    assert len(others) <= CONCURRENCY * PREFETCH + len(paused)
    assert [line["seconds"] for line in paused][:3] == [1, 2, 4]
    found = _shown(port, braked=1, consuming=0)
    assert found["retries_total bug"] >= IN_A_ROW
    assert bench.letters() == []

    bench.lab.substrate.control_broker("close_all_connections", "test")
    until("it to notice", lambda: "Connection to broker lost" in bench.whole_log())
    until("it to be back", lambda: bench.consumers(VALIDATE_QUEUE) == 1)
    _assert_left_alone(bench)  # a lost connection does not release it
    _shown(port, braked=1, consuming=0)
    assert _said(bench, "released") == []

    code.unlink()
    for message_id in matches:
        bench.receipt(message_id, within_s=90)
    assert bench.consumers(PROCESS_QUEUE) == 1
    _shown(port, braked=0, consuming=1)
    assert len(_said(bench, "released")) == 1
    assert bench.letters() == []


@pytest.mark.faults
def test_a_version_that_dies_at_every_match_does_not_use_up_their_deliveries(
    open_lab: OpenLab, tmp_path: Path
) -> None:
    """A message that kills its child is poison; many different ones in a row are a bad worker."""
    bench = _open(open_lab, "poisoned_worker", weakened=tmp_path)
    for _ in range(3 * IN_A_ROW):
        bench.send(a_match(location="poison"))
    until("the second pause", lambda: len(_said(bench, "paused")) >= 2, within_s=90)
    assert bench.letters() == []
    _assert_left_alone(bench)


def test_one_match_that_meets_a_bug_holds_up_no_other(open_lab: OpenLab, tmp_path: Path) -> None:
    code = tmp_path / "share"
    bench = _open(open_lab, "refusing", weakened=code, brake_messages=2)
    code.write_text("1 bug")
    message_id = bench.send(a_match())
    until("it to have failed twice", lambda: len(_said(bench, "failed")) >= 2)
    assert bench.consumers(PROCESS_QUEUE) == 1
    assert _said(bench, "paused") == []
    code.unlink()
    # It may have failed once more meanwhile.
    assert bench.receipt(message_id)["attempt"] == len(_said(bench, "failed")) + 1
