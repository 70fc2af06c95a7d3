"""The page of all experiments: the question, what was done, what was seen, the verdict. Pure."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from chaos.control import KEY
from chaos.run import Outcome
from lab.checker.verdict import Verdict, worst
from lab.report.formatting import clean, format_value

FILE = "index.html"


def render(outcomes: Sequence[Outcome], folder: Path, titles: Mapping[str, str]) -> str:
    """The whole page.

    Args:
        folder: where it will be; links to the runs' reports are relative to it.
        titles: the question of each experiment, for those that left no journal.
    """
    page: str = _template().render(
        verdict=worst(each.verdict for each in outcomes),
        experiments=[_experiment(each, folder, titles.get(each.name, "")) for each in outcomes],
        seconds=sum(each.seconds for each in outcomes),
        valid=sum(each.verdict is Verdict.VALID for each in outcomes),
    )
    return page


def _experiment(outcome: Outcome, folder: Path, title: str) -> dict[str, Any]:
    journal = outcome.journal
    said = journal.get(KEY, {})
    experiment = journal.get("experiment", {})
    states = journal.get("steady_states", {})
    return {
        "name": outcome.name,
        "question": experiment.get("title") or title or outcome.name,
        "about": experiment.get("description", ""),
        "verdict": outcome.verdict,
        "why": said.get("why") or "the experiment left no verdict",
        "problems": said.get("problems", []),
        "seconds": outcome.seconds,
        "report": _report(said.get("run"), folder),
        "parts": [
            ("before", _steps((states.get("before") or {}).get("probes", []))),
            ("done", _steps(journal.get("run", []))),
            ("after", _steps((states.get("after") or {}).get("probes", []))),
            ("mended", _steps(journal.get("rollbacks", []))),
        ],
    }


def _steps(runs: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            "what": run.get("activity", {}).get("name", ""),
            "good": run.get("status") == "succeeded" and run.get("tolerance_met", True) is True,
            "seen": _seen(run),
            "seconds": run.get("duration", 0.0),
        }
        for run in runs
    ]


def _seen(run: Mapping[str, Any]) -> str:
    if run.get("status") == "succeeded":
        return format_value(run.get("output"))
    said = run.get("exception") or ["no reason given"]
    return clean(str(said[-1]))


def _report(run: str | None, folder: Path) -> str | None:
    return os.path.relpath(Path(run) / "report.html", folder.resolve()) if run else None


@cache
def _template() -> Any:
    source = files("chaos").joinpath("page.html.jinja").read_text("utf-8")
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["clean"] = clean
    return environment.from_string(source)
