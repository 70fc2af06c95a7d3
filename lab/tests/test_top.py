"""`lab top`: which lab it watches, and what it makes of what it sees; no services."""

from __future__ import annotations

import re
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from lab.cli.kept import find
from lab.cli.top import with_breaches
from lab.errors import CannotRun
from lab.substrates import registry
from lab.substrates.abilities import Breach
from lab.substrates.local.instance import Instance
from lab.substrates.protocol import Endpoints
from lab.substrates.provider import Kept
from lab.top import formatting
from lab.top.render import ALERTS_MAX, WORKERS_MAX, render
from lab.top.snapshot import (
    HISTORY_MAX,
    AlertSnapshot,
    Curves,
    ObjectiveSnapshot,
    QueueSnapshot,
    Snapshot,
    WorkerSnapshot,
)

HEALTHY = Snapshot(
    age_s=0.4,
    parts=10,
    unreachable=(),
    queues=(
        QueueSnapshot("process", 12, 3, 2),
        QueueSnapshot("retry", 0, 0, 0),
        QueueSnapshot("dead-letter", 0, 0, 0),
    ),
    workers=(WorkerSnapshot("worker-0", True, True, 1, 2, 24.5, 0.012),),
    accepted={"queue": 3.0, "http": 0.0, "outbox": 0.0},
    effects={"created": 1.0, "updated": 23.5},
    retries={"database": 0.0, "api": 0.0},
    dead={"invalid": 0.0, "exhausted": 0.0},
    received=24.0,
    acknowledged=24.2,
    redelivered=0.0,
    waiting=0,
    refused=0,
    oldest_s=0.0,
    mean_s=0.034,
    p50_s=0.021,
    p99_s=0.31,
    objectives=(
        ObjectiveSnapshot("latency-mean", 0.034, 0.5, None, in_seconds=True),
        ObjectiveSnapshot("success", 1.0, 0.999, 1.0, in_seconds=False),
    ),
    faults=(),
    alerts=(),
)
NOBODY_TELLS = Snapshot(
    age_s=None,
    parts=0,
    unreachable=(),
    queues=(QueueSnapshot("process", None, None, None),),
    workers=(),
    accepted={},
    effects={},
    retries={},
    dead={},
    received=None,
    acknowledged=None,
    redelivered=None,
    waiting=None,
    refused=None,
    oldest_s=None,
    mean_s=None,
    p50_s=None,
    p99_s=None,
    objectives=(ObjectiveSnapshot("success", None, 0.999, None, in_seconds=False),),
    faults=None,
    alerts=(),
)


def drawn(seen: Snapshot, width: int = 80, past: Curves | None = None) -> str:
    """The picture as plain text, as a terminal without colour shows it."""
    text = StringIO()
    console = Console(file=text, width=width, color_system=None)
    console.print(render("lab test", seen, past or Curves(), width))
    return text.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120, 200])
def test_every_number_is_there_at_every_width_and_no_line_is_too_long(width: int) -> None:
    """Nothing is cut off: neither by the terminal nor by a table."""
    text = drawn(HEALTHY, width)
    assert max(map(len, text.splitlines())) <= width
    assert "…" not in text
    for each in ("process", "12", "worker-0", "1/2", "24.5", "12 ms", "queue 3.0", "in 24.0",
                 "34 ms", "21 ms", "310 ms", "latency-mean", "500 ms", "99.9 %"):  # fmt: skip
        assert each in text


def test_it_fits_a_terminal_of_24_lines_though_everything_is_wrong() -> None:
    """The usual terminal shows all of an outage, the alerts included."""
    wrong = replace(
        HEALTHY,
        unreachable=("broker-0", "worker-1"),
        faults=("broker-killed",),
        queues=tuple(QueueSnapshot(name, None, None, None) for name in "abcde"),
        alerts=tuple(AlertSnapshot(f"Alert{each}", "page", True, 30) for each in range(3)),
        mean_s=0.81,
        p99_s=4.2,
        objectives=(
            ObjectiveSnapshot("latency-mean", 0.81, 0.5, None, in_seconds=True),
            ObjectiveSnapshot("latency-p99", 0.9712, 0.99, -2.0, in_seconds=False),
            ObjectiveSnapshot("success", 0.99876, 0.999, -0.24, in_seconds=False),
        ),
        waiting=120,
        oldest_s=41.0,
    )
    text = drawn(wrong)
    assert len(text.splitlines()) <= 24
    assert "…" not in text


def test_a_healthy_lab_has_no_mark() -> None:
    """The mark is for what is wrong, and only for that."""
    assert "!" not in drawn(HEALTHY)


def test_what_nobody_can_tell_is_a_dash_and_never_0() -> None:
    """An absent series is not a zero."""
    body = drawn(NOBODY_TELLS).partition("queues")[2]
    assert formatting.NO_VALUE in body
    assert not re.search(r"\b0\b", body)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"unreachable": ("worker-1",)}, "! unreachable: worker-1"),
        ({"faults": ("broker-killed",)}, "! broken on purpose: broker-killed"),
        ({"age_s": 30.0}, "! nothing was scraped lately; the newest is 30 s old"),
        ({"queues": (QueueSnapshot("process", 5, 0, 0),)}, "! 5"),
        ({"queues": (QueueSnapshot("process", 5000, 0, 2),)}, "! 5,000"),
        ({"workers": (WorkerSnapshot("worker-0", True, False, 0, 2, 0, None),)}, "! no"),
        (
            {"workers": (WorkerSnapshot("worker-0", False, None, None, None, None, None),)},
            "! unreachable",
        ),
        ({"mean_s": 0.5}, "mean 500 ms !"),
        ({"p99_s": 0.9}, "p99 900 ms !"),
        ({"objectives": (ObjectiveSnapshot("success", 0.998, 0.999, -0.2, False),)}, "! 99.8 %"),
        ({"objectives": (ObjectiveSnapshot("success", 0.998, 0.999, -0.2, False),)}, "! none"),
        (
            {"alerts": (AlertSnapshot("BrokerDown", "page", True, 61),)},
            "! BrokerDown, page, fires for 61",
        ),
        ({"dead": {"exhausted": 2.0, "invalid": 1.0}}, "exhausted 2  invalid 1  in all"),
        ({"retries": {"database": 1.5, "api": 0.0}}, "database 1.5"),
        ({"accepted": {"queue": 0.0, "http": 2.0}}, "http 2.0"),
        ({"waiting": 7, "oldest_s": 90.0}, "7 waiting  0 refused  oldest 90 s"),
    ],
)
def test_what_is_wrong_is_said_in_words_too(wrong: dict[str, Any], said: str) -> None:
    """Colour alone would say nothing to some, nor in a log."""
    assert said in drawn(replace(HEALTHY, **wrong), 120)


def test_long_lists_end_with_how_many_more_there_are() -> None:
    """A lab of sixteen workers with all its alerts still fits."""
    workers = tuple(
        WorkerSnapshot(f"worker-{each}", True, True, 0, 2, 1, None) for each in range(16)
    )
    alerts = tuple(AlertSnapshot(f"Alert{each}", "page", True, 1) for each in range(ALERTS_MAX + 3))
    text = drawn(replace(HEALTHY, workers=workers, alerts=alerts))
    assert f"+ {16 - WORKERS_MAX} more" in text
    assert "+ 3 more" in text
    assert text.count("fires") == ALERTS_MAX
    assert text.count("worker-") == WORKERS_MAX


def test_a_pending_alert_is_not_marked() -> None:
    """It is on its way, and may not arrive."""
    text = drawn(replace(HEALTHY, alerts=(AlertSnapshot("NoTraffic", "ticket", False, 3),)))
    assert "  NoTraffic, ticket, pending for 3.0 s" in text


def test_history_is_bounded_and_keeps_gaps() -> None:
    """An hour of looking takes no more memory than two minutes, and silence is not drawn as 0."""
    past = Curves()
    for _ in range(HISTORY_MAX + 50):
        past.remember(HEALTHY)
    past.remember(replace(HEALTHY, mean_s=None, queues=()))
    assert {len(each) for each in past.curves.values()} == {HISTORY_MAX}
    assert past.last("mean", 2) == [0.034, None]
    assert past.last("queue process", 2) == [12, None]


@pytest.mark.parametrize(
    ("points", "width", "curve"),
    [
        ([], 3, "   "),
        ([0, 0], 3, " ▁▁"),
        ([1, 2, 4, 8], 4, "▂▃▅█"),
        ([8, None, 0], 3, "█ ▁"),
        ([100, 1, 2], 2, "▅█"),
    ],
)
def test_a_curve_reaches_from_0_to_its_highest_point(
    points: list[float | None], width: int, curve: str
) -> None:
    """What lies left of the picture does not set its scale."""
    assert formatting.curve(points, width) == curve


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (formatting.count(None), formatting.NO_VALUE),
        (formatting.count(9_999), "9,999"),
        (formatting.count(9_999.6), "10.0k"),
        (formatting.count(999_960), "1.0M"),
        (formatting.rate(0), "0.0"),
        (formatting.rate(0.01), "<0.1"),
        (formatting.rate(99.96), "100"),
        (formatting.duration(0.9996), "1.0 s"),
        (formatting.duration(0.0124), "12 ms"),
        (formatting.duration(9.96), "10 s"),
        (formatting.duration(119.4), "119 s"),
        (formatting.duration(7_200), "2 h"),
        (formatting.share(0.99999), "99.99 %"),
        (formatting.share(1.0), "100 %"),
        (formatting.share(0.999), "99.9 %"),
        (formatting.share(-2.5), "-250 %"),
    ],
)
def test_numbers_are_short_and_never_better_than_they_are(shown: str, expected: str) -> None:
    """Almost all is not all; seldom is not never."""
    assert shown == expected


def lab(name: str, url: str | None = "http://127.0.0.1:1") -> Kept:
    """A lab that is up, with this Prometheus."""
    return Kept(name, Endpoints("", "", {}, "", "", "", "", "", prometheus_url=url), 0.0)


def test_without_a_name_it_watches_the_default_lab_else_the_only_one() -> None:
    """`lab run` in another terminal is found; so is `lab up`, whatever else runs."""
    assert find(None, [lab("a-run")]).name == "a-run"
    assert find(None, [lab("a-run"), lab("default")]).name == "default"
    assert find("a-run", [lab("a-run"), lab("default")]).name == "a-run"


def test_it_says_what_to_do_if_it_cannot_choose() -> None:
    """One line each, which names the way out."""
    with pytest.raises(CannotRun, match=r"start one with `.*lab up`"):
        find(None, [])
    with pytest.raises(CannotRun, match="without monitoring"):
        find(None, [lab("one", url=None)])
    with pytest.raises(CannotRun, match="choose one by --name: one, two"):
        find(None, [lab("one"), lab("two")])
    with pytest.raises(CannotRun, match="lab up --name three"):
        find("three", [lab("one")])
    with pytest.raises(CannotRun, match="not up yet"):
        find(None, [Kept("default", None, 0.0)])


def test_a_lab_that_has_ended_is_not_watched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its folder may stay behind."""
    monkeypatch.chdir(tmp_path)
    instance = Instance.named("default")
    with instance.claimed():
        instance.begin()
        assert [each.name for each in registry.keeping("local").labs()] == ["default"]
    assert registry.keeping("local").labs() == []
    assert [each.name for each in registry.keeping("local").labs(alive=False)] == ["default"]


def test_what_the_keeper_has_struck_is_shown_beside_what_runs_report() -> None:
    """A fault that a run struck through the keeper is known twice, and shown once."""
    by_hand = Breach(1, "link-cut", {"link": "worker-api"}, 0, None, by_hand=True)
    of_a_run = Breach(2, "api-killed", {}, 0, None, by_hand=False)
    reported = replace(HEALTHY, faults=("api-killed", "worker-killed"))
    seen = with_breaches(reported, [by_hand, of_a_run])
    assert seen.faults == ["api-killed", "link-cut link=worker-api", "worker-killed"]
    assert "! broken on purpose: api-killed, link-cut link=worker-api" in drawn(seen, 120)
    assert with_breaches(NOBODY_TELLS, []).faults == []
