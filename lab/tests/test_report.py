"""The report: files for machines and for people, from any history, and safe to open."""

from __future__ import annotations

import io
import json
import re
import subprocess
from html import unescape
from html.parser import HTMLParser
from pathlib import Path

import pytest
from rich.console import Console

from lab.checker import check as auditing
from lab.checker import verdict
from lab.checker.check import Audit
from lab.checker.records import Depth
from lab.checker.verdict import Verdict
from lab.experiment.lab import scraped
from lab.report import conclude, formatting, series, words
from lab.report.terminal import COLUMNS_MAX
from lab.tests.histories import Record, dead_letter, events, lines, record, sane


def concluded(folder: Path, records: list[Record]) -> Audit:
    (folder / "history.jsonl").write_bytes(lines(records))
    return conclude.conclude(folder)


def printed(audit: Audit, folder: Path | None = None, width: int = 200) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    conclude.show(audit, console, folder)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_run_leaves_a_verdict_for_machines_and_a_page_for_people(tmp_path: Path) -> None:
    audit = concluded(tmp_path, sane(5))
    assert audit.valid
    document = verdict.read(tmp_path / "verdict.json")
    assert document["verdict"] == "valid"
    assert document["counts"]["attempted"] == 60
    assert document["faults"][0]["name"] == "worker-killed"
    page = (tmp_path / "report.html").read_text("utf-8")
    assert "✓ valid" in page
    assert "Conservation" in page
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "history.jsonl",
        "report.html",
        "verdict.json",
    ]


@pytest.mark.parametrize(
    ("history", "why"),
    [
        (None, "cannot read the history"),
        (b"", "no message was attempted"),
        (b"\x00\x01 junk\n", "line 1"),
        (lines(sane(5))[:-9], "torn"),
        (lines(sane(5)).replace(b'"accepted"', b'"accepted', 1), "no event"),
        (lines(sane(5)).replace(b'"effect": "created"', b'"effect": "bogus"', 1), "line "),
    ],
    ids=["missing", "empty", "junk", "torn", "broken", "nonsense"],
)
def test_a_history_that_cannot_be_judged_is_unknown_and_says_why(
    tmp_path: Path, history: bytes | None, why: str
) -> None:
    if history is not None:
        (tmp_path / "history.jsonl").write_bytes(history)
    audit = conclude.conclude(tmp_path)
    assert audit.verdict is Verdict.UNKNOWN
    assert why in audit.why
    assert verdict.read(tmp_path / "verdict.json")["verdict"] == "unknown"
    assert "? unknown" in (tmp_path / "report.html").read_text("utf-8")
    assert "UNKNOWN" in printed(audit)


def test_a_judge_that_crashes_has_decided_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*_: object, **__: object) -> Audit:
        raise ZeroDivisionError("by zero")

    monkeypatch.setattr(auditing, "audit", crash)
    audit = concluded(tmp_path, sane(5))
    assert audit.verdict is Verdict.UNKNOWN
    assert "ZeroDivisionError" in audit.why


def test_the_terminal_says_it_without_colour_in_a_hundred_columns(tmp_path: Path) -> None:
    records = [each for each in sane(5) if each["event"] != "dead_letter"]
    audit = concluded(tmp_path, records)
    text = printed(audit, Path("runs") / "one")
    assert max(map(len, text.splitlines())) <= COLUMNS_MAX
    assert "\x1b" not in text
    assert "✗ INVALID" in text
    assert "✗ 1 Conservation" in text
    assert "✓ 2 One effect" in text
    assert re.search(r"because law 1, conservation: \d+ accepted, and in no place", text)
    assert "arriving" in text
    assert "runs/one/report.html" in text


def test_a_valid_run_needs_no_because(tmp_path: Path) -> None:
    assert "because" not in printed(concluded(tmp_path, sane(5)))


def test_a_narrow_terminal_is_no_error(tmp_path: Path) -> None:
    text = printed(concluded(tmp_path, sane(5)), width=40)
    assert max(map(len, text.splitlines())) <= 40


HOSTILE = (
    "</script><script>alert(1)</script>\x1b[31m\x07\u202e<img src=x onerror=alert(1)>{{ 7*7 }}"
)


def hostile() -> list[Record]:
    """A run in which every text from outside is an attack."""
    records = sane(5)
    records[0]["name"] = records[0]["substrate"] = HOSTILE
    records[1:1] = [
        record("fault", 0.1, name=HOSTILE, phase="begin", detail=HOSTILE),
        dead_letter(HOSTILE, 2, reason=HOSTILE, detail=HOSTILE, where=HOSTILE),
        record("depth", 1, queue=HOSTILE, ready=3),
        record("row_refused", 1, page=HOSTILE, row=HOSTILE, reason=HOSTILE, excerpt=HOSTILE),
        record("check", 1, name=HOSTILE, verdict="invalid", detail=HOSTILE, law=2),
    ]
    return records


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.reaches: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.reaches += [f"{tag} {name}" for name, _ in attrs if name in ("src", "href")]
        assert not any(name.startswith("on") for name, _ in attrs)


def test_hostile_text_stays_text_on_the_page_and_on_the_terminal(tmp_path: Path) -> None:
    audit = concluded(tmp_path, hostile())
    page = (tmp_path / "report.html").read_text("utf-8")
    tags = _Tags()
    tags.feed(page)
    assert tags.tags.count("script") == 2
    assert "img" not in tags.tags
    assert "49" not in re.findall(r"<h1>(.*?)</h1>", page)[0]
    text = printed(audit)
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\u202e]", text)
    verdict.read(tmp_path / "verdict.json")


def test_the_page_reaches_for_nothing_outside(tmp_path: Path) -> None:
    concluded(tmp_path, sane(5))
    page = (tmp_path / "report.html").read_text("utf-8")
    tags = _Tags()
    tags.feed(page)
    assert set(tags.reaches) == {"a href"}
    written = page.split("<script>")[0]
    assert re.findall(r'href="([^"]*)"', written) == ["verdict.json", "history.jsonl"]
    assert "default-src 'none'" in page
    specs = re.findall(r"const specs = (.*);\n", page)[0]
    assert "http" not in specs
    assert set(json.loads(specs)) == {"outcomes", "distribution", "latency", "depths"}


def test_the_page_says_what_ran_and_folds_dead_letters_by_reason(tmp_path: Path) -> None:
    records = sane(5)
    records[0]["name"] = "season"
    records[0]["settings"] = {"matches": 1040, "workers": 2}
    records[1:1] = [record("check", 1, name="scrape 1", verdict="valid", detail="read")]
    concluded(tmp_path, records)
    page = (tmp_path / "report.html").read_text("utf-8")
    title = "Season of 1,040 matches, scraped once, 2 workers, with worker-killed"
    assert re.findall(r"<h1>(.*?)</h1>", page) == [title]
    dead = page.split("<h2>Dead letters</h2>")[1].split("</section>")[0]
    assert dead.count("<details>") == dead.count("<summary>") >= 1
    assert "<h2>The laws</h2>" in page.split("<h2>Checks</h2>")[0]
    assert "scrape 1" in page.split("<h2>Checks</h2>")[1]
    for word in words.COUNTS.values():
        assert word in unescape(page)


def test_the_mean_is_drawn_where_its_goal_is_and_empty_queues_are_not() -> None:
    story = auditing.audit(events(sane(2, messages=300, matches=50))).story
    time = series.clock(story.ways, story.depths, ())
    assert {row["percentile"] for row in series.latency_bands(story.ways, time)} == {
        "mean",
        "p50",
        "p99",
    }
    at = story.ways[0].published_at
    depths = [
        Depth(at, "matches.process", 0),
        Depth(at, "matches.process.retry.5s", 0),
        Depth(at, "matches.dead-letter", 3),
    ]
    rows, left_out = series.queue_depths(depths, time)
    assert {row["queue"] for row in rows} == {"matches.process", "matches.dead-letter"}
    assert left_out == 1


def test_a_scrape_that_refused_what_had_to_be_refused_is_no_number() -> None:
    assert scraped(10, 10, 1, {1}) == "read; 10 rows refused, just those that cannot be read"
    assert scraped(0, 0, 0, {0}) == "read"
    assert scraped(3, 10, 1, {1}).startswith("3 rows refused, 10 cannot be read; exit code 1")
    assert scraped(0, 0, 1, {0, 5}).endswith("exit code 1, and it must be 0 or 5")


@pytest.mark.laboratory
@pytest.mark.slow
def test_fifty_thousand_messages_make_a_small_page_that_says_how(tmp_path: Path) -> None:
    audit = concluded(tmp_path, sane(2, messages=50_000, matches=500))
    assert audit.valid
    page = (tmp_path / "report.html").read_text("utf-8")
    assert len(page.encode()) < 2_000_000
    assert re.search(r"dots are one message in \d+", page)
    assert ", the first 50 of them one by one" in page


def test_the_plots_count_every_message() -> None:
    story = auditing.audit(events(sane(2, messages=3000, matches=50))).story
    time = series.clock(story.ways, story.depths, ())
    stacks: dict[float, float] = {}
    for row in series.by_outcome(story.ways, time):
        assert row["bottom"] == stacks.get(row["from"], 0)  # each stands on the one before it
        assert row["top"] - row["bottom"] == row["messages"] > 0
        stacks[row["from"]] = row["top"]
    assert sum(stacks.values()) == 3000
    latencies = [way.latency_ms for way in story.ways if way.latency_ms is not None]
    ended = len(latencies)
    bins = series.latency_bins(story.ways)
    assert sum(row["messages"] for row in bins) == ended
    for row in bins:
        assert row["messages"] == sum(row["from"] <= ms < row["to"] for ms in latencies)
    points, every = series.latency_points(story.ways, time)
    assert len(points) <= series.POINTS_MAX
    assert len(points) == -(-ended // every)


def test_a_success_ratio_is_never_rounded_up() -> None:
    audit = auditing.audit(events(sane(5)))
    ratio = next(each for each in audit.objectives if each.name == "success_ratio")
    near = type(ratio)(ratio.name, 0.9989999, ratio.objective, False, "")
    assert formatting.format_measured(near) == "99.899 %"


@pytest.mark.browser
def test_a_browser_draws_every_plot_and_runs_no_foreign_script(tmp_path: Path) -> None:
    concluded(tmp_path, hostile())
    seen = subprocess.run(
        [
            "chromium",
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            f"--user-data-dir={tmp_path / 'browser'}",
            "--virtual-time-budget=8000",
            "--enable-logging=stderr",
            "--dump-dom",
            (tmp_path / "report.html").as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert len(re.findall(r"<svg[^>]* class=\"marks\"", seen.stdout)) == 4
    assert "CONSOLE" not in seen.stderr
