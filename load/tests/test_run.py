"""Locust against a real system: what it sends is all accounted for, and its exit code is true."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.experiment.lab import Lab
from lab.history import log
from lab.wait import eventually
from lab.workload import profiles
from load.tests.running import WITHIN_S, Locust

PLAN = {"workers": 1}
pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]


@pytest.fixture
def locust(lab: Lab, tmp_path: Path) -> Locust:
    """Locust in an empty folder."""
    return Locust(tmp_path, lab)


def test_a_load_by_the_queue_is_confirmed_committed_and_judged(locust: Locust) -> None:
    """Both types of requests have every message of the load, and each attempt comes first."""
    code, said = locust.run("--seconds", "2")
    assert code == 0, said

    events = list(log.read(locust.record / log.FILE))
    attempted = {e.fields["message_id"]: e.line for e in events if e.event == "attempted"}
    accepted = {e.fields["message_id"]: e.line for e in events if e.event == "accepted"}
    series = next(e.fields["identity"] for e in events if e.event == "attempted")
    series = series.removeprefix("load-").rpartition("-")[0]
    wanted = profiles.planned(profiles.find("baseline").lasting(2), series)
    assert len(attempted) == wanted > 40
    assert all(attempted[message_id] < line for message_id, line in accepted.items())

    stats = {each["method"]: each["num_requests"] for each in locust.left("locust.json")}
    assert stats == {"CONFIRM": wanted, "COMMIT": wanted}
    verdict = locust.left("verdict.json")
    assert verdict["verdict"] == "valid"
    assert verdict["counts"]["accepted"] == wanted
    assert verdict["substrate"] == "elsewhere"
    assert locust.left("budgets.json")["exit_code"] == 0


@pytest.mark.load
def test_a_broker_that_stalls_makes_everything_late_that_was_due_meanwhile(
    lab: Lab, locust: Locust
) -> None:
    """A closed loop would send less while the broker stalls, and see one slow request."""
    with locust.started("--headless", "--seconds", "8") as process:
        eventually("some load", lambda: locust.accepted() > 10, within_s=60)
        with lab.fault("broker-paused"):
            lab.run_for(seconds=2.5)
        _, said = process.communicate(timeout=WITHIN_S)
    assert process.returncode == 0, said

    (confirms,) = (each for each in locust.left("locust.json") if each["method"] == "CONFIRM")
    late = sum(count for ms, count in confirms["response_times"].items() if float(ms) > 500)
    assert late > 50
    assert confirms["num_requests"] == locust.left("verdict.json")["counts"]["attempted"]


@pytest.mark.load
def test_a_load_by_http_from_two_processes_is_one_load_and_fails_by_a_budget(
    locust: Locust,
) -> None:
    strict = "baseline: {success_ratio_min: 1, commit_mean_ms: 0.001}\n"
    code, said = locust.run("--seconds", "2", "--way", "http", "--processes", "2", budgets=strict)
    assert code == 1, said

    assert locust.left("verdict.json")["verdict"] == "valid", said
    stats = {each["method"]: each["num_requests"] for each in locust.left("locust.json")}
    assert stats["POST"] == stats["COMMIT"] == locust.left("verdict.json")["counts"]["accepted"]
    journals = sorted(locust.record.glob("journal-load-*.jsonl"))
    assert [path.name for path in journals] == ["journal-load-0.jsonl", "journal-load-1.jsonl"]
    assert all(path.stat().st_size for path in journals)
    missed = [each["name"] for each in locust.left("budgets.json")["budgets"] if not each["met"]]
    assert missed == ["commit_mean_ms"]
