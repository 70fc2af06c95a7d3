"""The document that machines read says all that the audit found, rounded as it promises."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from lab.checker import verdict as formats
from lab.checker.check import Counts, as_document, undecided
from lab.tests.histories import moment, record
from lab.tests.injections import judged
from lab.tests.small_runs import accepted, ran, stored


def test_the_document_says_all_that_the_audit_found() -> None:
    records = ran(
        record("fault", 2, name="cut", phase="begin"),
        record("fault", 3, name="cut", phase="end"),
        record("fault", 4, name="killed", phase="begin"),
        record("check", 9, name="one", verdict="valid", detail="equal", law=3),
        *accepted("m", 2.5),
        stored("m", 2.600124, identity="7", observed_at=moment(2.5), effect="updated"),
    )
    result = judged(records)
    document = as_document(result)
    formats.check(document)
    slo: dict[str, Any] = document.pop("slo")
    laws: list[dict[str, Any]] = document.pop("laws")
    assert document == {
        "name": "r",
        "substrate": "fake",
        "verdict": "valid",
        "why": "all five laws hold, and the objectives are met",
        "counts": asdict(Counts()) | {"attempted": 2, "accepted": 2, "committed": 2},
        "latency_ms": {"mean": 250.062, "p50": 100.124, "p95": 400.0, "p99": 400.0, "max": 400.0},
        "throughput_per_s": 1.25,
        "arrivals_per_s": 0.667,
        "checks": [{"name": "one", "verdict": "valid", "detail": "equal", "law": 3}],
        "faults": [
            {
                "name": "cut",
                "from": "2025-10-18T14:00:02+00:00",
                "to": "2025-10-18T14:00:03+00:00",
            },
            {"name": "killed", "from": "2025-10-18T14:00:04+00:00", "to": None},
        ],
        "seed": 1,
        "started": "2025-10-18T14:00:00+00:00",
        "seconds": 9.0,
    }
    assert slo == {
        "success_ratio": {
            "value": 1.0,
            "objective": 0.999,
            "met": True,
            "explanation": "2 of 2 accepted valid messages took effect",
        },
        "latency_mean_ms": {
            "value": 250.062,
            "objective": 500.0,
            "met": True,
            "explanation": "over 2 messages",
        },
    }
    assert laws[1] == {
        "law": 2,
        "title": "One effect",
        "verdict": "valid",
        "explanation": "Each of 2 effects happened once.",
        "examples": [],
    }
    assert [each["law"] for each in laws] == [1, 2, 3, 4, 5]


def test_numbers_are_rounded_to_what_the_format_promises() -> None:
    more = [line for n in range(2, 8) for line in accepted(f"m{n}", 2)]
    taken = [
        stored(f"m{n}", 1.9 + n / 10, "7", effect="updated", observed_at=moment(2)) for n in (2, 3)
    ]
    records = ran(*more, *taken)
    records[-1] = record("ended", 9.12345)
    document = as_document(judged(records))
    assert document["slo"]["success_ratio"]["value"] == 0.428571
    assert document["latency_ms"]["mean"] == 233.333
    assert (document["throughput_per_s"], document["arrivals_per_s"]) == (2.5, 6.0)
    assert document["seconds"] == 9.123


def test_what_is_not_known_is_null_in_the_document() -> None:
    document = as_document(undecided("no history", name="r"))
    assert set(document["latency_ms"]) == {"mean", "p50", "p95", "p99", "max"}
    assert set(document["latency_ms"].values()) == {None}
    nulls = {name for name, value in document.items() if value is None}
    assert nulls == {"substrate", "throughput_per_s", "arrivals_per_s", "seed", "started"}


def test_an_invalid_document_names_its_examples() -> None:
    document = as_document(judged(ran(*accepted("m"))))
    assert document["verdict"] == "invalid"
    assert document["laws"][0]["verdict"] == "invalid"
    assert document["laws"][0]["examples"] == ["m"]
