"""The brake, decision by decision, and the tally that it reads."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.worker.brake import Limits, Phase, State, Tally, next_state, taken
from system.worker.streak import Streak

LIMITS = Limits(messages=3, pause_s=5, pause_max_s=60, try_s=70)
FAILING = Tally(in_a_row=3, bugs=4, others=9)


def _paused(pauses: int = 1) -> State:
    """In a pause that ends at second 100."""
    return State(Phase.PAUSED, pauses, 100, FAILING)


def _trying() -> State:
    """In a try whose message was taken at second 100."""
    return taken(next_state(_paused(), FAILING, 100, LIMITS), 100, LIMITS)


def test_a_few_bugs_in_a_row_and_many_with_good_messages_between_do_not_apply_it() -> None:
    for tally in (Tally(2, 2, 0), Tally(1, 1000, 1000)):
        assert next_state(State(), tally, 0, LIMITS) == State()


def test_so_many_different_messages_in_a_row_that_meet_a_bug_apply_it() -> None:
    assert next_state(State(), FAILING, 95, LIMITS) == _paused()


def test_one_that_is_switched_off_is_never_applied() -> None:
    off = Limits(0, 5, 60, 70)
    assert next_state(State(), Tally(1000, 1000, 0), 0, off) == State()


def test_a_pause_lasts_although_messages_in_hand_still_fail() -> None:
    assert next_state(_paused(), Tally(3, 7, 9), 99.9, LIMITS) == _paused()


def test_after_the_pause_one_message_is_tried_as_soon_as_there_is_one() -> None:
    trying = next_state(_paused(), FAILING, 100, LIMITS)
    assert (trying.phase, trying.until) == (Phase.TRYING, None)
    assert next_state(trying, FAILING, 10_000, LIMITS) == trying
    assert taken(trying, 10_000, LIMITS).until == 10_070


def test_a_try_that_meets_a_bug_makes_the_pause_longer_up_to_its_bound() -> None:
    again = next_state(_trying(), Tally(3, 5, 9), 101, LIMITS)
    assert (again.phase, again.pauses, again.until) == (Phase.PAUSED, 2, 111)
    assert [LIMITS.pause(number) for number in (1, 2, 3, 4, 5, 5000)] == [5, 10, 20, 40, 60, 60]


@pytest.mark.parametrize("state", [_paused(), _trying()], ids=["paused", "trying"])
def test_one_message_that_meets_no_bug_releases_it(state: State) -> None:
    assert next_state(state, Tally(0, 4, 10), 101, LIMITS) == State()


def test_a_try_whose_outcome_is_never_known_is_made_again() -> None:
    assert next_state(_trying(), FAILING, 169, LIMITS) == _trying()
    again = next_state(_trying(), FAILING, 170, LIMITS)
    assert (again.phase, again.until) == (Phase.TRYING, None)


@given(st.lists(st.sampled_from(["bug", "other", "wait"]), max_size=60), st.integers(1, 4))
def test_whatever_happens_it_is_released_by_the_next_good_message(
    story: list[str], longest: int
) -> None:
    limits, streak, state, now = Limits(longest, 5, 60, 70), Streak(longest), State(), 0.0
    for number, event in enumerate([*story, "other"]):
        now += 100.0 if event == "wait" else 0.1
        if event == "bug":
            streak.bug(str(number))
        elif event == "other":
            streak.other()
        state = next_state(state, streak.tally(), now, limits)
        if state.phase is Phase.TRYING and state.until is None:
            state = taken(state, now, limits)
    assert state == State()


def test_one_message_that_fails_again_and_again_counts_once() -> None:
    streak = Streak(3)
    for message_id in ("m-1", "m-1", "m-2", "m-1", "m-2"):
        streak.bug(message_id)
    assert streak.tally() == Tally(2, 5, 0)
    streak.other()
    assert streak.tally() == Tally(0, 5, 1)


def test_what_a_child_counts_its_parent_reads() -> None:
    streak = Streak(3)
    child = os.fork()
    if child == 0:
        streak.bug("m-1")
        os._exit(0)
    os.waitpid(child, 0)
    streak.bug("m-2")
    assert streak.tally() == Tally(2, 2, 0)
