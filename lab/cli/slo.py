"""The command `lab slo`: judges the objectives of a running lab, a stored run, any Prometheus."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from lab.cli.kept import DEFAULT_NAME, find
from lab.cli.options import AsJson, SubstrateName, out
from lab.clients.prometheus.client import FRESH_S, Prometheus
from lab.clients.prometheus.extent import extent
from lab.clients.prometheus.promql import seconds
from lab.clients.prometheus.results import NoData
from lab.errors import CannotRun
from lab.experiment.runs import with_series
from lab.paths import lab_command
from lab.slo import evaluate, query, spec
from lab.slo.evaluate import EvaluationWindow, SloResult, SloState
from lab.substrates import registry

EXIT_CODES = {SloState.MET: 0, SloState.VIOLATED: 1, SloState.UNKNOWN: 2}
DEFAULT_WINDOW_S = 3600.0
PRODUCTION_FRESH_S = 120.0
"""In production a scrape comes every 15 to 30 seconds."""
ENDING_S = 60.0
"""At the end of a run its parts end one after the other, and Prometheus may be the last of them."""


class View(NamedTuple):
    """What is evaluated: by which Prometheus, over which window, and its name."""

    prometheus: Prometheus
    window: EvaluationWindow
    what: str


def command(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Of a run, to judge its stored series.", show_default="the latest that has any"
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="A lab that is up.")] = None,
    url: Annotated[str | None, typer.Option(help="Any Prometheus, http://host:port.")] = None,
    window: Annotated[
        str | None,
        typer.Option(help="Up to now, or up to a run's end: 5m, 1h30m. [1h; a whole run]"),
    ] = None,
    substrate: SubstrateName = registry.DEFAULT,
    as_json: AsJson = False,
    idle_is_fine: Annotated[
        bool, typer.Option("--idle-is-fine", help="0 instead of 2 if nothing was sent yet.")
    ] = False,
) -> None:
    """Judge the service level objectives of lab/slo/slo.yaml.

    Those of the lab `default` if it is up, else of the latest run with series, as `lab run` leaves
    one. Exit code: 0 met, 1 violated, 2 unknown: no traffic, no data, incomplete data, or no
    Prometheus that answers.
    """
    slos = spec.load()
    length_s = _length_s(window)
    if sum(each is not None for each in (folder, name, url)) > 1:
        raise CannotRun("name one thing to judge: a run's FOLDER, or --name, or --url")
    what, span = "nothing", None
    try:
        with _view(folder, name, substrate, url, length_s) as view:
            what, span = view.what, view.window
            results = query.evaluate_slos(view.prometheus, slos, view.window)
    except NoData as error:
        results = [evaluate.unknown(each, str(error)) for each in slos]
    verdict = evaluate.overall(results)
    if as_json:
        out.print_json(json.dumps(_as_dict(results, what, span, verdict)))
    else:
        out.print(query.as_table(results))
        out.print(_conclusion(results, what, span, verdict))
    if idle := folder is None and url is None and is_idle(results):
        load, season = (
            lab_command(*words, *(("--name", name) if name else ()))
            for words in (("load", "--for", "1m"), ("season",))
        )
        out.print(f"Give it some work, and ask again: `{load}`, or `{season}`.", markup=False)
    if idle and idle_is_fine:
        raise typer.Exit(0)
    raise typer.Exit(EXIT_CODES[verdict])


def is_idle(results: list[SloResult]) -> bool:
    """Whether nothing is known for the only reason that nothing happened. Pure."""
    return all(
        each.verdict is SloState.UNKNOWN and each.because == evaluate.NO_TRAFFIC for each in results
    )


@contextmanager
def _view(
    folder: Path | None, name: str | None, substrate: str, url: str | None, length_s: float | None
) -> Iterator[View]:
    """Open what is to be judged, for the block.

    Raises:
        CannotRun: it is not there.
        NoData: nothing was scraped, or Prometheus does not answer.
    """
    if url is not None:
        with Prometheus(url) as asked:
            end = asked.value("time()")
            begin = end - (length_s or DEFAULT_WINDOW_S)
            yield View(asked, query.window(begin, end, PRODUCTION_FRESH_S, from_zero=False), url)
    elif name is not None or (folder is None and registry.kept(DEFAULT_NAME, substrate)):
        lab = find(name or DEFAULT_NAME, registry.keeping(substrate).labs())
        with Prometheus(lab.url) as asked:
            end = asked.value("time()")
            # Everything of a lab begins with it, so its whole life is one window from zero.
            begin = max(lab.since, end - (length_s or DEFAULT_WINDOW_S))
            span = query.window(begin, end, FRESH_S, from_zero=True)
            yield View(asked, span, f"the lab {lab.name!r}")
    else:
        run, series = with_series(folder)
        with registry.stored_series(series) as address, Prometheus(address) as asked:
            whole = extent(asked, series)
            # A second earlier than the first scrape, where every counter was 0.
            begin = max(whole.first - 1, whole.last - (length_s or math.inf))
            yield View(asked, query.window(begin, whole.last, ENDING_S, from_zero=True), str(run))


def _length_s(window: str | None) -> float | None:
    if window is None:
        return None
    try:
        return seconds(window)
    except ValueError as error:
        raise CannotRun(f"--window: {error}") from error


def _conclusion(
    results: list[SloResult], what: str, window: EvaluationWindow | None, verdict: SloState
) -> str:
    """What it comes to, in one line."""
    where = ""
    if window is not None:
        end = datetime.fromtimestamp(window.end, UTC)
        where = f" over the {window.length_s:.0f} s until {end:%Y-%m-%d %H:%M:%S} UTC of {what}"
    if verdict is SloState.MET:
        return f"All {len(results)} objectives are met{where}."
    named = ", ".join(each.objective for each in results if each.verdict is SloState.VIOLATED)
    open_ = [each for each in results if each.verdict is SloState.UNKNOWN]
    why = "; ".join(dict.fromkeys(each.because for each in open_))
    unknown_objectives = f"{', '.join(each.objective for each in open_)} cannot be judged: {why}"
    if verdict is SloState.UNKNOWN:
        return f"Unknown{where}: {unknown_objectives}"
    return f"Violated{where}: {named}." + (f" {unknown_objectives}" if open_ else "")


def _as_dict(
    results: list[SloResult], what: str, window: EvaluationWindow | None, verdict: SloState
) -> dict[str, object]:
    return {
        "verdict": verdict,
        "of": what,
        "window": None if window is None else {"begin": window.begin, "end": window.end},
        "objectives": [asdict(each) for each in results],
    }
