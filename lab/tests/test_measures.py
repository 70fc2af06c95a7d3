"""The measures at their edges, where one message more or less decides."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from lab.checker.measures import (
    GOOD,
    LATENCY_MEAN,
    OPEN,
    SUCCESS_RATIO,
    Latency,
    Objective,
    Passage,
    latency,
    nearest_rank,
    objectives,
    rates,
    usual_objectives,
)
from lab.checker.outcomes import Outcome
from lab.checker.verdict import Verdict
from lab.errors import CannotRun
from lab.slo.spec import FILE
from lab.tests.histories import BEGUN, dead_letter, moment, record
from lab.tests.injections import judged
from lab.tests.small_runs import accepted, ran, stored


def way(
    published_s: float,
    ended_s: float | None,
    outcome: Outcome = Outcome.COMMITTED,
    *,
    counted: bool = True,
) -> Passage:
    """The way of a message between two moments."""
    return Passage(
        BEGUN + timedelta(seconds=published_s),
        None if ended_s is None else BEGUN + timedelta(seconds=ended_s),
        outcome,
        counted,
    )


# Ways.


def test_the_way_of_a_message_is_read_out_of_its_history() -> None:
    story = judged(
        ran(
            *accepted("effect", 2),
            stored("effect", 2.5, "2", observed_at=moment(2)),
            *accepted("dead", 3),
            dead_letter("dead", 4),
            *accepted("broken", 3, expect="dead-letter"),
            dead_letter("broken", 5),
            *accepted("both", 3),
            stored("both", 6, "3"),
            dead_letter("both", 4),
            *accepted("lost", 7),
            accepted("unsure", 8)[0],
        )
    ).story
    assert story.ways[1:] == [
        way(2, 2.5),
        way(3, 4, Outcome.FAILED),
        way(3, 5, Outcome.DEAD_LETTERED, counted=False),
        way(3, 6),
        way(7, None, Outcome.LOST),
        way(8, None, Outcome.UNCONFIRMED, counted=False),
    ]


@pytest.mark.parametrize(
    ("passage", "ms"),
    [
        (way(1, 1.25), 250),
        (way(1, 0.75), -250),
        (way(1, 1), 0),
        (way(1, None), None),
        (way(1, 1.25, Outcome.UNCHANGED), 250),
        (way(1, 1.25, Outcome.FAILED), 250),
        (way(1, 0.75, Outcome.FAILED), 0),
        (way(1, 1.0005, Outcome.FAILED), 0.5),
        (way(1, 1.25, Outcome.DEAD_LETTERED), None),
    ],
)
def test_the_latency_of_a_way_is_known_if_it_ended_and_should_have(
    passage: Passage, ms: float | None
) -> None:
    assert passage.latency_ms == ms


# Latency and rates.


def test_latency_is_over_all_that_ended_and_there_is_none_without() -> None:
    assert latency([]) is None
    assert latency([way(1, None), way(1, 2, Outcome.DEAD_LETTERED)]) is None
    ways = [way(0, n) for n in range(100, 0, -1)]
    assert latency([*ways, way(1, None)]) == Latency(50500, 50000, 95000, 99000, 100000)


@pytest.mark.parametrize(
    ("share", "rank"), [(0.0, 1), (0.01, 1), (0.1, 1), (0.11, 2), (0.5, 5), (0.91, 10), (1.0, 10)]
)
def test_the_nearest_rank_is_the_smallest_that_covers_the_share(share: float, rank: int) -> None:
    assert nearest_rank([*range(1, 11)], share) == rank


@pytest.mark.parametrize(
    ("ways", "throughput", "arrivals"),
    [
        ([], None, None),
        ([way(1, 3)], 0.5, None),
        ([way(1, 1)], None, None),
        ([way(1, 3), way(2, 5)], 0.5, 1),
        ([way(2, 5), way(1, 3)], 0.5, 1),
        ([way(1, 3, Outcome.UNCHANGED), way(5, None, Outcome.LOST)], 0.5, 0.25),
        ([way(1, 1.5), way(3, 9, Outcome.FAILED)], 2, 0.5),
        ([way(1, 9, Outcome.FAILED), way(2, 9, Outcome.DEAD_LETTERED)], 0, 1),
        ([way(1, None, Outcome.LOST), way(1, None, Outcome.LOST)], 0, None),
    ],
)
def test_rates_count_what_took_effect_and_what_came(
    ways: list[Passage], throughput: float | None, arrivals: float | None
) -> None:
    assert rates(ways) == (throughput, arrivals)


# Success.


def success(good: int, still_open: int, bad: int, wanted: float | None) -> Objective:
    ways = [
        *[way(1, 1.1)] * good,
        *[way(1, None, Outcome.UNDECIDED)] * still_open,
        *[way(1, 2, Outcome.FAILED)] * bad,
        way(1, 2, Outcome.DEAD_LETTERED, counted=False),
    ]
    return objectives(ways, latency(ways), {SUCCESS_RATIO: wanted})[0]


@pytest.mark.parametrize(
    ("good", "still_open", "bad", "met"),
    [
        (9, 0, 1, True),  # just what is asked for
        (8, 0, 2, False),
        (9, 1, 0, True),
        (8, 1, 1, None),  # met if the open one succeeds
        (8, 2, 0, None),
        (7, 1, 2, False),  # missed whatever becomes of it
        (0, 10, 0, None),
        (0, 0, 1, False),
    ],
)
def test_success_is_met_or_missed_only_if_what_is_open_cannot_change_it(
    good: int, still_open: int, bad: int, met: bool | None
) -> None:
    found = success(good, still_open, bad, 0.9)
    assert (found.name, found.objective, found.met) == (SUCCESS_RATIO, 0.9, met)
    assert found.value == good / (good + still_open + bad)
    assert (
        found.verdict
        is {
            True: Verdict.VALID,
            False: Verdict.INVALID,
            None: Verdict.UNKNOWN,
        }[met]
    )
    assert found.explanation.startswith(f"{good} of {good + still_open + bad} accepted")
    assert (f"{still_open} are undecided" in found.explanation) is (still_open > 0)


def test_where_no_success_is_asked_for_none_is_missed() -> None:
    found = success(0, 0, 1, None)
    assert (found.value, found.objective, found.met) == (0, None, None)
    assert found.verdict is Verdict.VALID


@pytest.mark.parametrize("outcome", [*Outcome])
def test_each_outcome_is_good_bad_or_open(outcome: Outcome) -> None:
    (found, _) = objectives([way(1, None, outcome)], None, {SUCCESS_RATIO: 1.0})
    assert found.met is (True if outcome in GOOD else None if outcome in OPEN else False)
    assert (found.value == 1) is (outcome in GOOD)


def test_without_a_counted_message_success_is_not_known_and_says_what_was_asked() -> None:
    (found, _) = objectives([way(1, 2, counted=False)], None, {})
    assert (found.name, found.value, found.objective, found.met) == (
        SUCCESS_RATIO,
        None,
        0.999,
        None,
    )
    assert found.explanation


# The mean.


@pytest.mark.parametrize(
    ("taken_s", "wanted", "value", "met"),
    [
        ([0.1, 0.3], 201, 200, True),
        ([0.1, 0.3], 200, 200, False),  # it must be under its goal
        ([0.1, 0.3], None, 200, None),
        ([0.0, 0.4], 201, 200, True),  # ended in the very moment: clocks may be that coarse
        ([-0.1, 0.3], 201, 100, None),
        ([-0.1, 0.3], None, 100, None),
        ([], 201, None, None),
    ],
)
def test_the_mean_is_met_if_it_is_under_its_goal_and_the_clocks_agree(
    taken_s: list[float], wanted: float | None, value: float | None, met: bool | None
) -> None:
    ways = [*(way(1, 1 + each) for each in taken_s), way(1, None, Outcome.LOST)]
    found = objectives(ways, latency(ways), {LATENCY_MEAN: wanted})[1]
    assert (found.name, found.objective, found.met) == (LATENCY_MEAN, wanted, met)
    assert found.value == pytest.approx(value)
    if taken_s:
        assert found.explanation.startswith(f"over {len(taken_s)} messages")
    early = any(each < 0 for each in taken_s)
    assert ("1 ended before they were published" in found.explanation) is early


# Goals.


def test_what_a_run_asks_for_replaces_only_what_it_names() -> None:
    usual = usual_objectives()
    for asked in ({}, {SUCCESS_RATIO: 0.5}, {LATENCY_MEAN: None}):
        wanted = {**usual, **asked}
        found = objectives([], None, asked)
        assert {each.name: each.objective for each in found} == wanted


@pytest.mark.parametrize("lacks", ["success", "latency-mean", "value"])
def test_a_file_that_lacks_a_goal_of_every_run_is_named(tmp_path: Path, lacks: str) -> None:
    documents: list[dict[str, Any]] = list(yaml.safe_load_all(FILE.read_text("utf-8")))
    if lacks == "value":  # a mean without a bound: another objective under its name
        documents[1]["metadata"]["name"] = "mean"
        documents[0]["metadata"]["name"] = "latency-mean"
        documents.append(yaml.safe_load(FILE.read_text("utf-8").split("---")[1]))
    documents = [each for each in documents if each["metadata"]["name"] != lacks]
    path = tmp_path / "slo.yaml"
    path.write_text(yaml.safe_dump_all(documents), "utf-8")
    with pytest.raises(CannotRun, match=r"slo\.yaml must hold objectives `success`"):
        usual_objectives(path)


def test_a_dead_letter_dated_by_the_second_is_no_clock_that_disagrees() -> None:
    """A broker dates them so; the message may have been published later in that second."""
    records = ran(*accepted("m", 3.7), dead_letter("m", 3.9, died_at=record("", 3)["at"]))
    result = judged(records)
    assert result.latency is not None
    assert result.latency.p50 == 0
    assert result.objectives[1].met is True
