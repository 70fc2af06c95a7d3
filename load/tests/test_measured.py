"""What is measured: percentiles as Locust has them, and the course of a load from its history."""

from __future__ import annotations

import math
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from lab.history import log
from lab.history.log import History
from load.committed import Committed
from load.measured import Course, course, follows, percentile, requests

BEGAN = datetime(2025, 10, 18, 12, tzinfo=UTC)


def _at(seconds: float) -> datetime:
    return BEGAN + timedelta(seconds=seconds)


def _receipt(record: History, number: int, due: float, commit: float, series: str = "7-1") -> None:
    record.write(
        "receipt",
        cursor=str(number),
        message_id=f"m{number}",
        identity=f"load-{series}-{number}",
        match_id=number,
        effect="created",
        way="queue",
        attempt=1,
        observed_at=_at(due),
        observed_from="sender",
        published_at=_at(due),
        received_at=_at(commit),
        committed_at=_at(commit),
    )


def _attempt(record: History, number: int, due: float) -> None:
    record.write(
        "attempted",
        message_id=f"m{number}",
        identity=f"load-7-1-{number}",
        published_at=_at(due),
        observed_at=_at(due),
        sender="load",
        expect="effect",
    )


def test_a_percentile_is_the_smallest_time_that_its_share_does_not_exceed() -> None:
    times = {"10": 90, "20": 5, "300": 4, "1000": 1}

    found = [percentile(times, share) for share in (0.5, 0.95, 0.951, 0.99, 1.0)]
    assert found == [10, 20, 300, 300, 1000]


def test_without_a_request_there_is_no_percentile_and_the_count_is_zero() -> None:
    assert percentile({}, 0.95) is None
    found = requests([], "CONFIRM")
    assert (found["count"], found["p95"], found["mean"]) == (0, None, None)


def test_the_course_of_a_load_leaves_out_what_others_sent(tmp_path: Path) -> None:
    path = tmp_path / log.FILE
    with History(path) as record:
        for number, due in enumerate((0.0, 1.0, 2.0)):
            _attempt(record, number, due)
            record.write("accepted", message_id=f"m{number}", way="queue")
            _receipt(record, number, due, due + 0.5)
        _receipt(record, 99, 0.0, 60.0, series="other")
        record.write("depth", queue="matches.process", ready=7)
        record.write("depth", queue="matches.process", ready=2)
        record.write("depth", queue="matches.dead-letter", ready=50)
    seen = course(log.read(path))

    assert (len(seen.due), seen.accepted, len(seen.commits)) == (3, 3, 3)
    assert seen.depth_max == 7
    assert seen.drain_s == pytest.approx(0.5)


def test_what_was_held_back_drains_from_its_first_effect_on() -> None:
    assert Course(due=[0.0, 0.0], commits=[30.0, 33.0]).drain_s == 3.0
    assert Course(due=[0.0]).drain_s is None


def test_the_best_throughput_is_that_of_the_best_five_seconds() -> None:
    commits = [float(second) for second in range(10)] + [10.1] * 40
    assert Course(commits=sorted(commits)).throughput_max == pytest.approx(44 / 5)


def _every(per_s: float, begin: float, end: float) -> list[float]:
    return [begin + number / per_s for number in range(int((end - begin) * per_s))]


def _scaled(rates: Iterable[float], offered: float = 100) -> Course:
    commits = [at for n, rate in enumerate(rates) for at in _every(rate, 20 * n, 20 * n + 20)]
    return Course(
        due=_every(offered, 0, 60), commits=commits, scaled=[(-1, 1), (20, 4), (40, 1), (61, 2)]
    )


def test_throughput_that_follows_the_workers_up_and_down_is_seen_to() -> None:
    assert follows(_scaled((20, 60, 20))) == pytest.approx(3, rel=0.1)


def test_throughput_that_stays_where_it_was_does_not_follow() -> None:
    assert follows(_scaled((20, 20, 20))) == pytest.approx(1, rel=0.1)
    assert follows(_scaled((20, 60, 60))) == pytest.approx(1, rel=0.1)


def test_throughput_that_is_all_that_is_offered_has_nothing_to_follow() -> None:
    assert follows(_scaled((100, 100, 100))) == math.inf


def test_without_a_change_of_workers_nothing_is_known_of_following() -> None:
    assert follows(Course(due=_every(10, 0, 60), commits=[1.0])) is None


def test_commits_are_read_as_the_history_grows_each_once_and_only_those_of_the_load(
    tmp_path: Path,
) -> None:
    with History(tmp_path / log.FILE) as record:
        reader = Committed(tmp_path, "7-1")
        _receipt(record, 1, 0.0, 0.25)
        _receipt(record, 2, 0.0, 9.0, series="7-11")
        first = list(reader.read_on())
        _receipt(record, 1, 0.0, 5.0)
        _receipt(record, 3, 1.0, 1.5)
        second = list(reader.read_on())

    assert (first, second) == ([250.0], [500.0])
