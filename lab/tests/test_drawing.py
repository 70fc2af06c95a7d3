"""Schedules of faults: drawn by a seed within bounds, and the same after writing and reading."""

from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lab.errors import CannotRun
from lab.faults import drawing, registry, schedule
from lab.faults.api import Wrong
from lab.faults.drawing import BETWEEN_S, Bounds
from lab.faults.schedule import Planned
from lab.substrates.plan import Link

FAULTS = registry.known()
MS = 0.001
"""Times are whole milliseconds."""
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "index": st.integers(0, 99),
    "node": st.integers(0, 2),
    "queue": st.from_regex(r"[a-z]+([.-][a-z0-9]+)*", fullmatch=True),
    "link": st.sampled_from(Link),
    "how": st.sampled_from(Wrong),
    "latency_s": st.integers(0, 10_000).map(lambda ms: ms / 1000),
    "jitter_s": st.integers(0, 10_000).map(lambda ms: ms / 1000),
    "bytes_per_s": st.integers(0, 10**9).map(float),
    "share": st.integers(1, 999).map(lambda thousandths: thousandths / 1000),
}
ALL_BOUNDS = st.builds(
    Bounds,
    faults=st.integers(1, 12),
    together=st.integers(1, 5),
    within_s=st.floats(5, 100),
    shortest_s=st.floats(0.1, 1),
    longest_s=st.floats(1, 20),
    workers=st.integers(1, 8),
)


@st.composite
def planned(draw: st.DrawFn) -> Planned:
    fault = draw(st.sampled_from(list(FAULTS.values())))
    given = {
        name: value
        for name, default in fault.parameters.items()
        if draw(st.booleans()) and (value := draw(VALUES[name])) != default
    }
    at, lasts = draw(st.integers(0, 3_600_000)), draw(st.integers(1, 600_000))
    return Planned(fault.name, fault.completed(given), at / 1000, lasts / 1000)


@settings(deadline=None)
@given(st.lists(planned(), min_size=1, max_size=20))
def test_what_is_written_reads_the_same(drawn: list[Planned]) -> None:
    whole = drawing.ordered(_apart(drawn))

    assert schedule.read(schedule.write(whole)) == whole


@settings(deadline=None)
@given(st.lists(planned(), min_size=1, max_size=20))
def test_a_shell_takes_it_as_one_word_without_quotes(drawn: list[Planned]) -> None:
    written = schedule.write(drawn)

    assert shlex.quote(written).strip("'") == written
    assert not set(written) & set("*?[]{}~!#$&|;<>()`\\\"' \t\n")
    assert shlex.split(f"lab hunt --replay {written}")[-1] == written


@settings(deadline=None)
@given(st.integers(), ALL_BOUNDS)
def test_the_same_seed_draws_the_same_schedule(seed: int, bounds: Bounds) -> None:
    assert drawing.draw(seed, FAULTS, bounds) == drawing.draw(seed, FAULTS, bounds)


@settings(deadline=None)
@given(st.integers(), ALL_BOUNDS)
def test_what_is_drawn_keeps_its_bounds(seed: int, bounds: Bounds) -> None:
    drawn = drawing.draw(seed, FAULTS, bounds)

    assert 1 <= len(drawn) <= bounds.faults
    assert drawing.together(drawn) <= bounds.together
    for each in drawn:
        assert each.begin_s >= 0
        assert each.end_s <= bounds.within_s + MS
        assert bounds.shortest_s - MS <= each.length_s <= bounds.longest_s + MS
        assert 0 <= each.parameters.get("index", 0) < bounds.workers


@settings(deadline=None)
@given(st.integers(), ALL_BOUNDS)
def test_no_two_faults_break_one_part_at_a_time(seed: int, bounds: Bounds) -> None:
    drawn = drawing.draw(seed, FAULTS, bounds)

    for one in drawn:
        for other in drawn:
            if one is not other and drawing.exclude(one.part, other.part):
                assert not drawing.overlap(one, other, BETWEEN_S)


def test_different_seeds_draw_different_schedules_and_every_fault_that_can_be_survived() -> None:
    drawn = [drawing.draw(seed, FAULTS) for seed in range(1000)]

    assert len(set(map(schedule.write, drawn))) > 900
    assert {each.name for one in drawn for each in one} == set(FAULTS) - {"api-lies"}
    assert max(map(drawing.together, drawn)) == Bounds().together
    links = {each.parameters.get("link", Link.WORKER_BROKER) for one in drawn for each in one}
    assert links == {*Link} - {Link.SCRAPER_API}  # a load goes by the queue alone
    assert {each.parameters.get("how", Wrong.ERROR) for one in drawn for each in one} == {*Wrong}


def test_only_what_is_possible_is_drawn() -> None:
    some = {name: FAULTS[name] for name in ("api-killed", "link-cut")}

    assert {each.name for seed in range(50) for each in drawing.draw(seed, some)} == set(some)
    with pytest.raises(ValueError, match="no fault"):
        drawing.draw(1, {})


def test_faults_of_one_part_exclude_each_other_and_those_of_two_do_not() -> None:
    killed, paused = _worker("killed", 1), _worker("paused", 2)
    other = _worker("paused", 2, index=1)

    assert killed.part == paused.part == "worker-0"
    assert drawing.exclude(killed.part, paused.part)
    assert not drawing.exclude(killed.part, other.part)
    assert drawing.exclude("worker-*", other.part)
    assert drawing.overlap(killed, paused)
    assert not drawing.overlap(killed, _worker("paused", 3))


def test_a_line_is_split_between_faults_and_not_between_parameters() -> None:
    slowed, killed = schedule.read(
        "worker-killed@3s+2.5s, link-slowed:link=api-database,latency_s=0.1@500ms+10s"
    )

    assert slowed.parameters["link"] is Link.API_DATABASE
    assert slowed.parameters["latency_s"] == 0.1
    assert (slowed.part, killed.part) == ("api-database", "worker-0")
    assert (slowed.begin_s, killed.begin_s, killed.end_s) == (0.5, 3.0, 5.5)
    assert schedule.write([killed]) == "worker-killed:index=0@3s+2.5s"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("", "is written NAME@BEGIN"),
        ("worker-killed@3s+2s,", "is written|no duration"),
        ("worker-killed@3s+2s,earthquake@1s+1s", "no fault 'earthquake'"),
        (",".join(["worker-killed@3s+2s"] * 101), "100 faults at most"),
    ],
)
def test_a_line_that_cannot_be_read_says_why(line: str, words: str) -> None:
    with pytest.raises(CannotRun, match=words):
        schedule.read(line)


def _worker(what: str, begin_s: float, **given: Any) -> Planned:
    name = f"worker-{what}"
    return Planned(name, FAULTS[name].completed(given), begin_s, 2)


def _apart(drawn: list[Planned]) -> list[Planned]:
    """Without those of the same fault and parameters, which may overlap: nobody may write that."""
    return list({(each.name, *each.parameters.items()): each for each in drawn}.values())
