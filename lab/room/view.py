"""Draws what is known: the page as a whole, and what of it changes, piece by piece. Pure.

A number has a key, and a part of the picture has a state; both are sent by themselves. A *piece* is
a part of the page that is drawn anew as a whole, where its structure changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, partial
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined

from lab.errors import CannotRun
from lab.faults import registry as faults
from lab.faults.registry import Fault
from lab.paths import fresh_lab_command
from lab.report import formatting as words
from lab.room import actions, links, picture, plots
from lab.room.actions import Form, Target
from lab.room.jobs import Job
from lab.room.runs import Run
from lab.room.scene import Scene
from lab.slo.spec import Slo
from lab.substrates.abilities import Partitionable
from lab.top import formatting
from lab.top.snapshot import ObjectiveSnapshot
from lab.workload import profiles

PIECES = (
    "notice", "picture", "latency", "flow", "objectives", "alerts", "broken", "workers", "reasons",
    "verdict", "jobs", "runs", "links",
)  # fmt: skip
"""What is drawn anew as a whole; each is a macro of the template, and an element with that id."""
TYPES = {"room.css": "text/css", "room.js": "text/javascript", "icon.svg": "image/svg+xml"}
"""The files of the page, and what they are."""
_BOUND = re.compile(r'_bucket\{[^}]*le="([0-9.]+)"')


@dataclass(frozen=True, slots=True)
class Room:
    """What does not change while the room is open.

    Attributes:
        read_only: nothing can be done, only looked at.
        mean_goal_s, p99_goal_s: the objectives' lines; None if there is no such objective.
    """

    target: Target
    read_only: bool
    mean_goal_s: float | None = None
    p99_goal_s: float | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What the page shows: numbers and words by key, states by key, pieces by id."""

    texts: Mapping[str, str] = field(default_factory=dict)
    states: Mapping[str, str] = field(default_factory=dict)
    pieces: Mapping[str, str] = field(default_factory=dict)

    def since(self, before: Shown) -> dict[str, dict[str, str]]:
        """What has changed, as it is sent; empty if nothing has. What is no more is empty text."""
        changes = {
            name: _changes(getattr(before, name), getattr(self, name))
            for name in ("texts", "states", "pieces")
        }
        return {name: changed for name, changed in changes.items() if changed}


def goals(slos: Sequence[Slo]) -> tuple[float | None, float | None]:
    """The lines of the latency plot: what the mean must stay below, and the bound of most."""
    mean = next((slo.bound for slo in slos if slo.mean is not None), None)
    bounds = (
        float(found[1])
        for slo in slos
        if slo.ratio is not None
        for counter in slo.ratio.good
        if (found := _BOUND.search(counter))
    )
    return mean, next(bounds, None)


def shown(room: Room, scene: Scene, jobs: Sequence[Job], runs: Sequence[Run]) -> Shown:
    """Everything that changes, as it is now."""
    known = _known(room, scene, jobs, runs)
    texts = {**picture.texts(scene), **_times(scene, jobs)}
    # Numbers within pieces are sent by themselves, so a piece is the same while they change.
    template = _environment().get_template("pieces.html.jinja")
    macros = template.make_module({**known, "texts": _Empty()})
    drawn = {name: str(getattr(macros, name)()).strip() for name in PIECES}
    return Shown(texts, picture.states(scene), drawn)


def page(room: Room, scene: Scene, jobs: Sequence[Job], runs: Sequence[Run]) -> str:
    """The whole page, complete without its script."""
    known = _known(room, scene, jobs, runs)
    texts = {**picture.texts(scene), **_times(scene, jobs)}
    drawn: str = (
        _environment()
        .get_template("page.html.jinja")
        .render(
            **{**known, "texts": texts},
            profiles=profiles.PROFILES,
            faults=_offered(scene),
            links_break=bool(scene.plan and scene.plan.relayed),
            commands=_usual(room),
            seconds_max=actions.SECONDS_MAX,
            workers_max=actions.WORKERS_MAX,
            scrapes_max=actions.SCRAPES_MAX,
        )
    )
    return drawn


def log_list(names: Sequence[str]) -> str:
    """The page with the names of the logs."""
    drawn: str = _environment().get_template("logs.html.jinja").render(names=names)
    return drawn


def _known(room: Room, scene: Scene, jobs: Sequence[Job], runs: Sequence[Run]) -> dict[str, Any]:
    workers = picture.workers_of(scene)
    judged = next((job for job in jobs if job.command.works and job.run), None)
    return {
        "room": room,
        "scene": scene,
        "seen": scene.snapshot,
        "states": picture.states(scene),
        "drawings": (picture.wide(workers), picture.tall(workers)),
        "drawn_latency": plots.latency(
            scene.at, scene.points, scene.shades, room.mean_goal_s, room.p99_goal_s
        ),
        "drawn_flow": plots.flow(scene.at, scene.points, scene.shades),
        "size": plots,
        "all_jobs": jobs,
        "works": next((job for job in jobs if job.running and job.command.works), None),
        "judged": judged,
        "judged_run": next((run for run in runs if judged and run.folder == judged.run), None),
        "past_runs": runs,
        "elsewhere": links.of(scene),
        "all_reasons": sorted((scene.snapshot.dead if scene.snapshot else {}).items()),
        "fmt": formatting,
        "words": words,
        "command": partial(_typed, room.target),
    }


def _times(scene: Scene, jobs: Sequence[Job]) -> dict[str, str]:
    """What counts up or down by itself."""
    found = {"age": formatting.duration(max(0.0, scene.at - scene.since)) if scene.since else ""}
    for breach in scene.breaches:
        key = f"breach.{breach.number}"
        if breach.failed:
            found[key] = f"its cure has failed: {breach.failed}"
        elif breach.until is None:
            found[key] = f"for {formatting.duration(max(0.0, scene.at - breach.since))}"
        elif breach.until > scene.at:
            found[key] = f"{formatting.duration(breach.until - scene.at)} left"
        else:
            found[key] = "is being cured"
    for job in jobs:
        until = scene.at if job.ended is None else job.ended
        found[f"job.{job.number}"] = formatting.duration(max(0.0, until - job.began))
    seen = scene.snapshot
    for alert in seen.alerts if seen else ():
        found[f"alert.{alert.name}"] = formatting.duration(alert.for_s)
    for each in seen.objectives if seen else ():
        value = formatting.duration(each.value) if each.in_seconds else formatting.share(each.value)
        found[f"objective.{each.name}"] = value
        found[f"left.{each.name}"] = _budget(each)
    found |= {f"reason.{name}": formatting.count(value) for name, value in
              (seen.dead if seen else {}).items()}  # fmt: skip
    return found


def _budget(objective: ObjectiveSnapshot) -> str:
    """What is left of the error budget; a mean has none."""
    if objective.in_seconds:
        return ""
    spent = objective.left is not None and objective.left < 0
    return "all spent" if spent else formatting.share(objective.left)


def _offered(scene: Scene) -> list[Fault]:
    """The faults that can be struck: those of links only where a link can be broken."""
    relayed = bool(scene.plan and scene.plan.relayed)
    return [each for each in faults.known().values() if relayed or Partitionable not in each.needs]


def _usual(room: Room) -> dict[str, str]:
    """The command of each form as it stands at first."""
    forms: dict[str, dict[str, str]] = {
        "load": {"profile": "steady", "seconds": "60", "late": "yes"},
        "season": {"scrapes": "5"},
        "strike": {"fault": "broker-killed", "seconds": "10"},
        "scale": {"workers": "2"},
        "letters": {},
        "replay": {},
        "slo": {},
    }
    return {name: str(actions.command(name, form, room.target)) for name, form in forms.items()}


def _typed(target: Target, action: str, form: Form) -> str:
    """The command of a small button; empty if a name that others gave fits into none."""
    try:
        return str(actions.command(action, form, target))
    except CannotRun:
        return ""


def _changes(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, str]:
    gone = dict.fromkeys(before.keys() - now.keys(), "")
    return gone | {key: value for key, value in now.items() if before.get(key) != value}


class _Empty(dict[str, str]):
    """Has every key, and nothing at it."""

    def get(self, key: str, default: Any = "") -> Any:
        return ""


class Step(StrEnum):
    """How a job ended, or that it did not, for its style."""

    RUNNING = "running"
    GOOD = "good"
    BAD = "bad"
    OPEN = "open"


def step(job: Job) -> Step:
    """How a job stands."""
    if job.code is None:
        return Step.RUNNING
    return {0: Step.GOOD, 1: Step.BAD}.get(job.code, Step.OPEN)


@cache
def _environment() -> Environment:
    from jinja2 import PackageLoader

    made = Environment(
        loader=PackageLoader("lab.room", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals["lab"] = fresh_lab_command
    made.filters["clean"] = words.clean
    made.filters["step"] = step
    return made


def static(name: str) -> bytes:
    """A file of the page: style, script, icon.

    Raises:
        FileNotFoundError: there is none of this name.
    """
    if name not in TYPES:
        raise FileNotFoundError(name)
    return files("lab.room").joinpath("static", name).read_bytes()
