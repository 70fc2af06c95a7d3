"""Metrics as they are defined: every series from the start, and an edge at the objective."""

from __future__ import annotations

from prometheus_client import generate_latest

from system.contract.reasons import OWN_FAULT, Reason
from system.metrics.definitions import BUCKETS_S, LATENCY_BUCKETS_S, MetricFactory


def page(factory: MetricFactory) -> str:
    return generate_latest(factory.registry).decode()


def test_every_series_of_closed_labels_is_there_at_0() -> None:
    factory = MetricFactory()
    factory.counter("a", "A", {"x": ("1", "2"), "y": ("3", "4")})
    factory.counter("b", "B", {"open": ()})
    text = page(factory)
    assert text.count("missing_table_a_total{") == 4
    assert 'missing_table_a_total{x="2",y="3"} 0.0\n' in text
    assert "missing_table_b_total{" not in text
    assert [spec.name for spec in factory.specs] == [
        "missing_table_a_total",
        "missing_table_b_total",
    ]


def test_many_observations_at_once_are_as_each_of_them() -> None:
    one, many = MetricFactory(), MetricFactory()
    amounts = [0.0, 0.005, 0.0051, 0.5, 0.51, 9.0, 10.0, 11.0, 1e9]
    single = one.histogram("h", "H", {"x": ("1",)}).labels("1")
    for amount in amounts:
        single.observe(amount)
    several = many.histogram("h", "H", {"x": ("1",)}).labels("1")
    several.observe_many(amounts[:4])
    several.observe_many(amounts[4:])
    several.observe_many([])

    def told(factory: MetricFactory) -> list[str]:
        return [line for line in page(factory).splitlines() if "_created" not in line]

    assert told(many) == told(one)


def test_histograms_have_an_edge_at_the_objective() -> None:
    assert 0.5 in BUCKETS_S
    assert 0.5 in LATENCY_BUCKETS_S


def test_the_messages_own_faults_are_those_that_no_retry_or_repair_of_ours_could_mend() -> None:
    assert {"invalid", "unreadable", "unknown-task"} == OWN_FAULT
    assert set(Reason) - OWN_FAULT == {"refused", "exhausted"}
