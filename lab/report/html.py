"""The page of a run: one HTML file with everything in it, which loads nothing from outside."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import altair
import vl_convert
from jinja2 import Environment, StrictUndefined

from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.report import charts, formatting, series, words

DEATHS_MAX = 50
REASONS_MAX = 20
CHECKS_MAX = 50

_SNIPPET = "window.vegaEmbed = vegaEmbed;"


def render(audit: Audit, beside: Sequence[str] = ()) -> str:
    """The whole page.

    Args:
        beside: files and folders beside the page, to link to.
    """
    story = audit.story
    by_reason = Counter(formatting.clean(row.reason) or "(no reason)" for row in story.rows)
    example = {formatting.clean(row.reason) or "(no reason)": row for row in reversed(story.rows)}
    deaths = story.deaths
    plots, notes = _plots(audit)
    page: str = _template().render(
        audit=audit,
        headline=formatting.HEADLINES[audit.verdict],
        about=_about(audit),
        all_valid=audit.verdict is Verdict.VALID,
        plots=plots,
        notes=notes,
        title=words.title(audit),
        words=words,
        beside=beside,
        deaths=words.by_reason(deaths, DEATHS_MAX),
        deaths_total=len(deaths),
        deaths_shown=min(len(deaths), DEATHS_MAX),
        rows=[
            (reason, count, example[reason]) for reason, count in by_reason.most_common(REASONS_MAX)
        ],
        rows_left_out=max(0, len(by_reason) - REASONS_MAX),
        checks=audit.checks[:CHECKS_MAX],
        text=formatting,
        # "</script>" ends a script even inside a string: so no "<" is left.
        specs=json.dumps({plot["id"]: plot["spec"] for plot in plots}).replace("<", "\\u003c"),
        vega=_vega() if plots else "",
    )
    return page


def _about(audit: Audit) -> list[str]:
    """Which run this is, in a few words."""
    about = [formatting.clean(audit.substrate or "substrate unknown", 60)]
    if audit.seed is not None:
        about.append(f"seed {audit.seed}")
    if audit.started is not None:
        about.append(f"{audit.started:%Y-%m-%d %H:%M:%S} UTC")
    return [*about, f"{audit.seconds:,.1f} s"]


def _plots(audit: Audit) -> tuple[list[dict[str, Any]], list[str]]:
    """The plots that have data, and notes about how they were made."""
    story = audit.story
    time = series.clock(story.ways, story.depths, audit.faults)
    faults = series.fault_windows(audit.faults, time)
    objective = {goal.name: goal.objective for goal in audit.objectives}.get(LATENCY_MEAN)
    plots: list[dict[str, Any]] = []
    notes: list[str] = []

    def add(name: str, title: str, about: str, spec: dict[str, Any]) -> None:
        plots.append({"id": name, "title": title, "about": about, "spec": spec})

    shaded = " Shaded: a fault was at work." if faults else ""
    if story.ways:
        add(
            "outcomes",
            "What became of the messages",
            f"By the time at which they were published, every message counted.{shaded}",
            charts.outcomes(series.by_outcome(story.ways, time), faults, time),
        )
    if audit.latency is not None:
        points, every = series.latency_points(story.ways, time)
        sampled = "each message a dot" if every == 1 else f"dots are one message in {every}"
        add(
            "distribution",
            "How long they took",
            "From publish to commit, or to the end of a good message that failed. "
            "Every message counted; percentiles by nearest rank.",
            charts.distribution(series.latency_bins(story.ways), audit.latency, objective),
        )
        add(
            "latency",
            "Latency over time",
            f"By time of publishing; {sampled}, lines are over all messages; the goal is for the"
            f" mean.{shaded}",
            charts.latency(points, series.latency_bands(story.ways, time), faults, time, objective),
        )
        notes.append(f"Times below {series.LATENCY_MS_MIN:g} ms are drawn at that value.")
    if story.depths:
        rows, left_out = series.queue_depths(story.depths, time)
        others = f" {left_out} shallower or empty queues are not drawn." if left_out else ""
        add(
            "depths",
            "Queue depth",
            f"Messages ready, the deepest in each {time.bin_s:.3g} s.{others}{shaded}",
            charts.depths(rows, faults, time),
        )
    if plots:
        notes.insert(0, f"Time is cut into {series.BINS} bins of {time.bin_s:.3g} s.")
    return plots, notes


@cache
def _vega() -> str:
    """Vega, Vega-Lite and Vega-Embed in one script, of the version that Altair writes for."""
    version = ".".join(altair.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
    bundle = vl_convert.javascript_bundle(_SNIPPET, vl_version=version)
    # In strings and in regular expressions of JavaScript, "<\\/" means the same as "</".
    return bundle.replace("</script", "<\\/script").replace("<!--", "<\\!--")


@cache
def _template() -> Any:
    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters["clean"] = formatting.clean
    source = files("lab.report").joinpath("page.html.jinja").read_text("utf-8")
    return environment.from_string(source)
