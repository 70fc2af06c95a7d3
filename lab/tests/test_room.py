"""The control room's pure parts: forms become commands, moments become pictures; no services."""

from __future__ import annotations

import html
import os
import re
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.checker import check, verdict
from lab.errors import CannotRun
from lab.faults import registry as faults
from lab.room import actions, picture, plots, runs, view
from lab.room.actions import Command, Target
from lab.room.jobs import Job, environment, plain
from lab.room.picture import BAD, BROKEN, BUSY, OK
from lab.room.scene import HISTORY_S, History, Point, Scene, Shade
from lab.room.view import Room, Shown
from lab.slo import spec
from lab.substrates.abilities import Breach
from lab.substrates.plan import Link, Plan
from lab.substrates.protocol import Endpoints
from lab.tests import command_line
from lab.tests.test_top import HEALTHY, NOBODY_TELLS
from lab.top.formatting import NO_VALUE
from lab.top.snapshot import AlertSnapshot, QueueSnapshot, WorkerSnapshot
from lab.workload.profiles import PROFILES

NOW = 1_800_000_000.0
HERE = Target()
ROOM = Room(HERE, read_only=False, mean_goal_s=0.5, p99_goal_s=2.5)
ENDS = Endpoints(
    api_url="http://127.0.0.1:1",
    api_token="api-secret",
    broker_urls={"admin": "amqp://admin:rabbit-secret@127.0.0.1:2"},
    management_url="http://127.0.0.1:3",
    metrics_url="http://127.0.0.1:4/metrics",
    results_url="redis://:redis-secret@127.0.0.1:5",
    database_url="postgresql://owner:database-secret@127.0.0.1:6/x",
    site_url="http://127.0.0.1:7",
    prometheus_url="http://127.0.0.1:8",
)
WELL = Scene(NOW, "up", NOW - 90, ENDS, Plan(7, 40), HEALTHY)


def breach(fault: str, **parameters: str) -> Breach:
    return Breach(1, fault, parameters, NOW - 3, NOW + 7, by_hand=True)


@pytest.fixture
def fresh_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The project's folder, and a room whose own shell finds its `lab`, as another one does not."""
    program = tmp_path / ".venv" / "bin" / "lab"
    program.parent.mkdir(parents=True)
    program.touch(0o755)
    monkeypatch.setattr(sys, "prefix", str(tmp_path / ".venv"))
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}/usr/bin")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("action", "form", "typed"),
    [
        (
            "load",
            {"profile": "spike", "seconds": "30"},
            ".venv/bin/lab load --profile spike --for 30s",
        ),
        (
            "load",
            {"profile": "steady", "seconds": "9", "late": "yes"},
            ".venv/bin/lab load --profile steady --for 9s --may-be-late",
        ),
        ("season", {"scrapes": "3"}, ".venv/bin/lab season --scrapes 3"),
        (
            "strike",
            {"fault": "api-killed", "seconds": "5"},
            ".venv/bin/lab fault strike api-killed --for 5s",
        ),
        (
            "strike",
            {"fault": "worker-killed", "seconds": "5", "worker-killed.index": "1"},
            ".venv/bin/lab fault strike worker-killed --for 5s --set index=1",
        ),
        (
            "strike",
            {
                "fault": "link-cut",
                "seconds": "9",
                "link-cut.link": "worker-api",
                "worker-killed.index": "1",
            },
            ".venv/bin/lab fault strike link-cut --for 9s --set link=worker-api",
        ),
        ("cure", {"fault": "api-killed"}, ".venv/bin/lab fault cure api-killed"),
        ("cure", {}, ".venv/bin/lab fault cure --all"),
        ("scale", {"workers": "0"}, ".venv/bin/lab scale 0"),
        ("letters", {}, ".venv/bin/lab ctl dead-letters list --limit 20"),
        (
            "replay",
            {"reason": "delivery_limit"},
            ".venv/bin/lab ctl dead-letters replay --reason delivery_limit",
        ),
        ("replay", {}, ".venv/bin/lab ctl dead-letters replay"),
        ("slo", {}, ".venv/bin/lab slo --name default"),
    ],
)
def test_what_is_done_is_a_command_that_a_person_could_type(
    action: str, form: Mapping[str, str], typed: str, fresh_shell: Path
) -> None:
    assert str(actions.command(action, form, HERE)) == typed
    command_line.check(typed)


def test_a_lab_that_is_not_the_usual_one_is_named_where_each_command_takes_it(
    fresh_shell: Path,
) -> None:
    other = Target("mine")

    assert str(actions.command("scale", {"workers": "3"}, other)) == (
        ".venv/bin/lab scale 3 --name mine"
    )
    assert str(actions.command("letters", {}, other)) == (
        ".venv/bin/lab ctl --name mine dead-letters list --limit 20"
    )
    assert str(actions.command("slo", {}, other)) == ".venv/bin/lab slo --name mine"


def test_every_command_on_the_page_is_one_that_exists_and_names_its_lab(fresh_shell: Path) -> None:
    """Those that hide in titles of small buttons, and those that would start something, too."""
    seen = replace(HEALTHY, dead={"unreadable": 1.0, 'what "nobody" names': 1.0})
    other = replace(ROOM, target=Target("mine"))
    page = html.unescape(view.page(other, replace(WELL, snapshot=seen), [], []))
    shown = set(re.findall(r"(?:<code[^>]*>|title=\"|`)((?:\S*/)?lab [^<`\"]+)", page))
    kinds = {line.split(" ", 2)[1] for line in shown}

    assert kinds == {"load", "season", "fault", "scale", "ctl", "slo", "up"}
    for line in shown:
        command_line.check(line)
        assert line.startswith(".venv/bin/lab ")
        assert "--name mine" in line or " up --" in line
    assert ".venv/bin/lab ctl --name mine dead-letters replay --reason unreadable" in shown


def test_what_a_command_prints_is_for_a_fresh_shell_also_where_this_one_finds_the_lab(
    fresh_shell: Path,
) -> None:
    """As in the shell of `make shell`: who reads it in a browser pastes it into another one."""
    ours = {"PATH": f"{fresh_shell}/.venv/bin{os.pathsep}/usr/bin"}
    assert environment(ours)["PATH"] == "/usr/bin"
    assert environment({})["COLUMNS"] == "100"


@pytest.mark.parametrize(
    ("action", "form"),
    [
        ("explode", {}),
        ("load", {"profile": "--help", "seconds": "5"}),
        ("load", {"profile": "steady", "seconds": "0"}),
        ("load", {"profile": "steady", "seconds": "601"}),
        ("load", {"profile": "steady", "seconds": "5; reboot"}),
        ("load", {"profile": "steady", "seconds": "٣"}),
        ("load", {"profile": "steady"}),
        ("season", {"scrapes": "-1"}),
        ("strike", {"fault": "no-such", "seconds": "5"}),
        ("strike", {"fault": "worker-killed", "seconds": "5", "worker-killed.index": "-1"}),
        ("strike", {"fault": "link-cut", "seconds": "5", "link-cut.link": "$(reboot)"}),
        ("cure", {"fault": "--all"}),
        ("scale", {"workers": "17"}),
        ("replay", {"reason": "--force"}),
        ("replay", {"reason": "x" * 50}),
    ],
)
def test_a_field_that_has_no_possible_value_becomes_no_command(
    action: str, form: Mapping[str, str]
) -> None:
    with pytest.raises(CannotRun):
        actions.command(action, form, HERE)


def test_every_load_and_every_fault_that_is_offered_can_be_asked_for() -> None:
    breakable = replace(WELL, plan=Plan(7, 40, relayed=frozenset(Link)))
    page = view.page(ROOM, breakable, [], [])
    options = re.findall(r'<option value="([^"]+)"', page)

    for name in PROFILES:
        assert name in options
        actions.command("load", {"profile": name, "seconds": "5"}, HERE)
    for fault in faults.known().values():
        assert fault.name in options
        form = {f"{fault.name}.{key}": str(value) for key, value in fault.parameters.items()}
        words = actions.command("strike", {"fault": fault.name, "seconds": "5", **form}, HERE).words
        assert words == ("fault", "strike", fault.name, "--for", "5s")


def test_faults_of_links_are_offered_only_where_links_can_be_broken() -> None:
    assert 'value="link-cut"' not in view.page(ROOM, WELL, [], [])


def test_numbers_stand_at_their_arrows() -> None:
    texts = picture.texts(WELL)

    assert texts["published"] == "24.0/s"
    assert texts["stored"] == "24.5/s"
    assert texts["queue.1"] == "12 waiting"
    assert texts["queue.2"] == "3 being worked on"
    assert texts["worker-0.1"] == "1/2 busy · 24.5/s"
    for drawing in (picture.wide(["worker-0"]), picture.tall(["worker-0"])):
        drawn = {way.key for way in drawing.arrows if way.x}
        lines = {f"{box.key}.{n}" for box in drawing.boxes for n in range(1, box.lines + 1)}
        assert drawn | lines <= texts.keys() | {"pages", "routed", "sent"}


def test_what_is_not_known_is_no_zero() -> None:
    texts = picture.texts(replace(WELL, snapshot=NOBODY_TELLS))

    assert texts["published"] == f"{NO_VALUE}/s"
    assert texts["queue.1"] == f"{NO_VALUE} waiting"
    assert picture.texts(replace(WELL, snapshot=None)) == {}


@pytest.mark.parametrize(
    ("fault", "parameters", "keys"),
    [
        ("broker-killed", {}, ["exchange", "queue", "retry", "dead"]),
        ("worker-paused", {"index": "0"}, ["worker-0"]),
        ("workers-gone", {}, ["workers"]),
        ("matches-locked", {}, ["database"]),
        ("link-cut", {"link": "worker-api"}, ["way.posted"]),
    ],
)
def test_what_is_broken_on_purpose_is_marked_where_it_is(
    fault: str, parameters: Mapping[str, str], keys: list[str]
) -> None:
    states = picture.states(replace(WELL, breaches=[breach(fault, **parameters)]))

    assert [key for key, state in states.items() if state == BROKEN] == keys


def test_every_fault_breaks_what_is_drawn_or_the_results() -> None:
    drawn = {"worker-0", *(box.key for box in picture.wide([]).boxes), "results"}
    drawn |= {f"way.{way.key}" for way in picture.wide([]).arrows} | {"worker-results"}
    for fault in view._offered(replace(WELL, plan=Plan(7, 40, relayed=frozenset(Link)))):
        struck = breach(fault.name, **{k: str(v) for k, v in fault.parameters.items()})
        assert set(picture.broken(replace(WELL, breaches=[struck]))) <= drawn, fault.name


def test_a_part_is_busy_down_or_at_rest() -> None:
    gone = WorkerSnapshot("worker-1", there=False, consuming=None, in_flight=None, places=None,
                          per_s=None, runtime_s=None)  # fmt: skip
    seen = replace(HEALTHY, unreachable=["api-0"], workers=[*HEALTHY.workers, gone],
                   queues=[QueueSnapshot("process", 0, 0, 2)])  # fmt: skip
    states = picture.states(replace(WELL, snapshot=seen))

    assert (states["worker-0"], states["worker-1"], states["api"]) == (BUSY, BAD, BAD)
    assert (states["queue"], states["way.retried"], states["way.stored"]) == (OK, OK, BUSY)


@pytest.mark.parametrize("count", [0, 1, 8, 16])
def test_boxes_of_a_picture_do_not_overlap_and_stay_within_it(count: int) -> None:
    names = [f"worker-{n}" for n in range(count)]
    for drawing in (picture.wide(names), picture.tall(names)):
        for box in drawing.boxes:
            assert min(box.x, box.y) >= 0
            assert box.x + box.w <= drawing.width
            assert box.y + box.h <= drawing.height
            for other in drawing.boxes:
                assert other is box or (
                    box.x + box.w <= other.x
                    or other.x + other.w <= box.x
                    or box.y + box.h <= other.y
                    or other.y + other.h <= box.y
                ), f"{box.key} and {other.key}"
        assert len(drawing.rows) + drawing.more == count


def test_curves_break_where_nothing_was_seen() -> None:
    points = [Point(NOW - 100 + n, effects=None if n == 5 else 10.0) for n in range(10)]
    points += [Point(NOW - 20, effects=10.0), Point(NOW - 19, effects=10.0)]
    drawn = dict(plots.flow(NOW, points, []).lines)["effects"]

    assert drawn.count("M") == 3
    assert dict(plots.flow(NOW, points, []).lines)["published"] == ""


def test_the_lines_of_the_objectives_are_those_of_the_file() -> None:
    assert view.goals(spec.load()) == (0.5, 2.5)
    drawn = plots.latency(NOW, [Point(NOW, mean_s=0.5, p99_s=2.5)], [], 0.5, 2.5)
    at = {kind: y for kind, y, _ in drawn.marks}
    ends = {kind: float(path.split()[-1]) for kind, path in drawn.lines}

    assert ends == {"mean": at["goal mean"], "p99": at["goal p99"]}


def test_what_is_slower_than_the_scale_widens_it() -> None:
    points = [Point(NOW, mean_s=42.0)]
    labels = [label for kind, _, label in plots.latency(NOW, points, [], None, None).marks]

    assert labels[-1] == "100 s"


@pytest.mark.parametrize("highest", [0.0, 3, 49, 51, 480, 5000, 123_456])
def test_a_scale_has_few_round_steps(highest: float) -> None:
    step = plots.nice_step(highest)

    assert highest / step <= 5
    assert highest <= 10 or highest / step > 1


def test_what_was_broken_is_shaded_from_its_begin_to_its_end() -> None:
    history = History()
    for at, broken in enumerate([[], ["a"], ["a", "b"], ["b"], []]):
        history.remember(at, None, broken)

    assert history.shades == (Shade("a", 1, 3), Shade("b", 2, 4))
    history.remember(10 + HISTORY_S, None, [])
    assert not history.shades
    assert len(history.points) == 1


def test_only_what_changed_is_sent() -> None:
    before = Shown({"a": "1", "b": "2"}, {"x": OK}, {"jobs": "<p>"})
    now = Shown({"a": "1", "b": "3"}, {}, {"jobs": "<p>"})

    assert now.since(before) == {"texts": {"b": "3"}, "states": {"x": ""}}
    assert now.since(now) == {}


def test_a_number_that_changes_draws_no_piece_anew() -> None:
    """A piece that is drawn anew loses what is pressed in it; numbers change every second."""
    later = replace(
        HEALTHY,
        received=99.0,
        mean_s=0.4,
        workers=[replace(HEALTHY.workers[0], in_flight=2.0, per_s=1.0)],
        alerts=[AlertSnapshot("LatencyHigh", "ticket", firing=True, for_s=9.0)],
    )
    first = replace(later, alerts=[replace(later.alerts[0], for_s=1.0)], received=1.0)
    shown = view.shown(ROOM, replace(WELL, snapshot=first), [], [])
    change = view.shown(ROOM, replace(WELL, at=NOW + 1, snapshot=later), [], []).since(shown)

    assert change["texts"]["published"] == "99.0/s"
    assert "pieces" not in change


def test_a_room_to_look_at_offers_nothing_to_do() -> None:
    page = view.page(
        replace(ROOM, read_only=True), replace(WELL, breaches=[breach("api-killed")]), [], []
    )

    assert "<button" not in page
    assert "data-kill" not in page
    assert "api-killed" in page


def test_the_page_says_how_to_log_in_to_the_broker_and_no_other_secret() -> None:
    page = view.page(ROOM, WELL, [], [])

    assert "rabbit-secret" in page
    for secret in ("api-secret", "redis-secret", "database-secret"):
        assert secret not in page


def test_what_others_wrote_is_text() -> None:
    job = Job(1, Command(("slo",)))
    job.took_in("<script>alert(1)</script>\x1b[31m\n")
    drawn = view.shown(ROOM, WELL, [job], []).pieces["jobs"]

    assert "<script>" not in drawn
    assert "\x1b" not in drawn


def test_the_page_loads_nothing_from_elsewhere_and_has_no_style_or_script_within() -> None:
    page = view.page(ROOM, WELL, [], [])

    assert re.findall(r'(?:src|href)="(?!#|static/|logs/|http://127\.0\.0\.1:)([^"]*)"', page) == []
    assert not re.search(r"<script(?! src)|<style| style=| on\w+=", page)


def test_output_keeps_its_indentation_and_its_bounds() -> None:
    assert plain("\t  law\x07 1\n") == "      law  1"
    assert len(plain("x" * 1000)) <= 240


def test_the_run_of_a_command_is_found_in_what_it_prints() -> None:
    job = Job(1, Command(("load",), works=True))
    job.took_in("  .runs/20261129T192334-load-steady/verdict.json")

    assert job.run == "20261129T192334-load-steady"


def test_past_runs_are_listed_newest_first_and_nothing_else_is(tmp_path: Path) -> None:
    for name in ("20261129T190000-season", "20261129T200000-load-spike", "20261130T080000-hunt"):
        (tmp_path / name).mkdir()
    verdict.write(
        check.as_document(check.undecided("nothing was seen", name="load-spike")),
        tmp_path / "20261129T200000-load-spike" / verdict.FILE,
    )
    (tmp_path / "20261129T190000-season" / verdict.FILE).write_text("{broken")
    (tmp_path / "latest").symlink_to("20261130T080000-hunt")
    (tmp_path / "20261201T000000-away").symlink_to("/")
    (tmp_path / "notes").mkdir()

    found = runs.newest(tmp_path)

    assert [run.name for run in found] == ["hunt", "load-spike", "season"]
    assert [run.verdict for run in found] == [None, verdict.Verdict.UNKNOWN, None]
    assert runs.newest(tmp_path / "nowhere") == []


@pytest.mark.parametrize("name", ["..", "20261129T190000-season/..", "20261201T000000-away", ""])
def test_no_other_folder_can_be_named_as_a_run(tmp_path: Path, name: str) -> None:
    (tmp_path / "20261129T190000-season").mkdir()
    (tmp_path / "20261201T000000-away").symlink_to("/")

    assert runs.find(name, tmp_path) is None


def test_the_verdict_of_the_last_load_is_shown_with_its_laws() -> None:
    job = Job(1, Command(("load",), works=True), ended=time.time(), code=0, run="20261129T190000-x")
    document = check.as_document(check.audit([], name="x"))
    run = runs.Run("20261129T190000-x", "x", datetime.now(UTC), document, True)
    drawn = view.shown(ROOM, WELL, [job], [run]).pieces["verdict"]

    assert "UNKNOWN" in drawn
    for law in ("Conservation", "One effect", "Newest wins", "No silent drop"):
        assert law in drawn
    assert 'href="runs/20261129T190000-x/report.html"' in drawn
