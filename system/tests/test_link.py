"""The pauses between attempts to connect grow, are bounded, and are spread."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from system.messaging.connection import BACKOFF_FIRST_S, BACKOFF_MAX_S, pause_s


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_a_pause_is_at_least_half_and_at_most_all_of_its_step(failures: int, chance: float) -> None:
    step = min(BACKOFF_MAX_S, BACKOFF_FIRST_S * 2 ** min(failures - 1, 60))
    assert step / 2 <= pause_s(failures, chance) <= step


def test_the_same_seed_gives_the_same_pauses_and_another_one_others() -> None:
    def pauses(seed: int) -> list[float]:
        rng = random.Random(seed)
        return [pause_s(failures, rng.random()) for failures in range(1, 9)]

    assert pauses(7) == pauses(7)
    assert len(set(pauses(7)) & set(pauses(8))) == 0
    assert pauses(7) == sorted(pauses(7))
