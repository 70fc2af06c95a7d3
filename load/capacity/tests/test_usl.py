"""The law is found again from its own values, and says how many workers are needed."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from load.capacity import usl
from load.capacity.usl import Usl

LAWS = st.builds(
    Usl,
    per_worker=st.floats(10, 5000),
    contention=st.floats(0, 0.9),
    coherency=st.one_of(st.just(0.0), st.floats(0.001, 0.2)),
)


@given(LAWS)
def test_a_law_is_found_again_from_what_it_says(law: Usl) -> None:
    found = usl.fit([(workers, law.throughput(workers)) for workers in (1, 2, 3, 4, 8)])
    for workers in (1, 2, 4, 6, 16):
        assert found.throughput(workers) == pytest.approx(law.throughput(workers), rel=1e-3)


@given(LAWS, st.floats(1, 20_000))
def test_the_workers_for_a_rate_take_it_and_one_fewer_does_not(law: Usl, per_s: float) -> None:
    workers = law.workers_for(per_s)
    if workers is None:
        assert per_s >= law.limit_per_s
        return
    assert law.throughput(workers) >= per_s * (1 - 1e-6)
    assert workers == 1 or law.throughput(workers - 1) < per_s * (1 + 1e-6)


@given(LAWS)
def test_no_number_of_workers_exceeds_the_limit(law: Usl) -> None:
    assert all(law.throughput(n) <= law.limit_per_s * (1 + 1e-9) for n in range(1, 300))


def test_workers_that_share_nothing_grow_without_end() -> None:
    law = usl.fit([(1, 100.0), (2, 200.0), (4, 400.0)])
    assert law.best_workers is None
    assert law.limit_per_s > 1e6 or math.isinf(law.limit_per_s)
    assert law.throughput(10) == pytest.approx(1000)


def test_rates_that_fall_with_more_workers_have_a_best_number() -> None:
    law = usl.fit([(1, 100.0), (2, 150.0), (4, 160.0), (8, 110.0)])
    assert law.best_workers in (3, 4)
    assert law.workers_for(200.0) is None


def test_noise_does_not_make_a_share_negative() -> None:
    law = usl.fit([(1, 100.0), (2, 230.0), (4, 420.0)])  # better than twice: noise
    assert law.contention >= 0
    assert law.coherency >= 0


@pytest.mark.parametrize(
    "points", [[(1, 100.0), (2, 150.0)], [(1, 1.0), (1, 2.0), (2, 3.0)], [(1, 0.0), (2, 1), (3, 1)]]
)
def test_too_little_to_fit_is_refused(points: list[tuple[int, float]]) -> None:
    with pytest.raises(ValueError, match=r"different numbers|above zero"):
        usl.fit(points)
