"""A schedule that fails is made smaller, and what is left still fails."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from lab.faults.drawing import ordered
from lab.faults.schedule import Planned, write
from lab.hunts.shrink import SHORTEST_S, Schedule, shrink

NAMES = ["worker-killed", "broker-killed", "api-paused", "results-killed", "database-paused"]
SCHEDULES = st.lists(
    st.builds(
        Planned,
        st.sampled_from(NAMES),
        st.just({}),
        st.integers(0, 100).map(lambda tenths: tenths / 10),
        st.integers(5, 60).map(lambda tenths: tenths / 10),
    ),
    min_size=1,
    max_size=8,
    unique_by=lambda each: each.begin_s,
).map(ordered)


class Failing:
    """Fails if it has all the faults that it takes; counts how often it was asked."""

    def __init__(self, needed: set[str], tries: int = 1000) -> None:
        self.needed, self.left = needed, tries
        self.asked: list[str] = []

    def __call__(self, schedule: Schedule) -> bool | None:
        """Answer, as a round does."""
        if not self.left:
            return None
        self.left -= 1
        self.asked.append(write(schedule))
        return self.needed <= {each.name for each in schedule}


@settings(deadline=None)
@given(SCHEDULES, st.data())
def test_what_is_left_fails_and_needs_each_of_its_faults(
    schedule: Schedule, data: st.DataObject
) -> None:
    names = sorted({each.name for each in schedule})
    needed = data.draw(st.sets(st.sampled_from(names), min_size=1))
    fails = Failing(needed)

    left = shrink(schedule, fails)

    assert sorted(each.name for each in left) == sorted(needed)
    assert min(each.begin_s for each in left) == 0
    assert all(each.length_s < 2 * SHORTEST_S + 0.1 for each in left)
    assert len(fails.asked) == len(set(fails.asked))
    assert write(schedule) not in fails.asked


@settings(deadline=None)
@given(SCHEDULES, st.integers(0, 10))
def test_without_more_tries_the_smallest_so_far_is_given(schedule: Schedule, tries: int) -> None:
    fails = Failing({schedule[-1].name}, tries)

    left = shrink(schedule, fails)

    assert len(fails.asked) <= tries
    assert schedule[-1].name in {each.name for each in left}
    assert len(left) <= len(schedule)
    assert len(left) < len(schedule) or tries < 2 or len(schedule) == 1


@settings(deadline=None)
@given(SCHEDULES)
def test_what_fails_only_as_it_is_stays_as_it_is(schedule: Schedule) -> None:
    assert shrink(schedule, lambda candidate: False) == schedule


@settings(deadline=None)
@given(SCHEDULES)
def test_few_tries_are_enough(schedule: Schedule) -> None:
    """Each costs a round of half a minute."""
    fails = Failing({schedule[0].name})
    shrink(schedule, fails)

    assert len(fails.asked) <= 4 * len(schedule) + 6
