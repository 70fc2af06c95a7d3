"""The command `python -m chaos`: all experiments, or some, on a lab of their own; and a page."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

import yaml

from chaos import page, run
from lab import signals
from lab.checker.verdict import worst
from lab.errors import LabError
from lab.experiment.runs import new_folder
from lab.substrates import registry
from lab.substrates.provider import CONTEXT

FAILED, COULD_NOT_RUN = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Run, write the page, and return the exit code: 0 all valid, 1 not, 2 could not run."""
    parser = argparse.ArgumentParser(prog="python -m chaos", description=__doc__)
    parser.add_argument("only", nargs="*", metavar="NAME", help="an experiment; all if left out")
    parser.add_argument("--substrate", default=registry.DEFAULT, help="where the lab runs")
    parser.add_argument("--context", help="which cluster, on kubernetes; never the current one")
    parser.add_argument("--list", action="store_true", help="list the experiments")
    given = parser.parse_args(arguments)
    if given.context:
        os.environ[CONTEXT] = given.context
    questions = {name: _question(name) for name in run.names()}
    if given.list:
        for name, question in questions.items():
            _say(f"{name:28} {question}")
        return 0
    signals.end_in_order()
    try:
        wanted = run.chosen(given.only, given.substrate)
        for name in sorted({*run.names()} - {*wanted}) if not given.only else ():
            cannot = run.lacks(name, given.substrate)
            _say(f"left out: {name}, for the substrate {given.substrate!r} cannot {cannot}")
        folder = new_folder("chaos")
        outcomes = run.run_all(wanted, folder, given.substrate, _say)
    except LabError as error:
        print(f"chaos: {error}", file=sys.stderr)  # noqa: T201
        return COULD_NOT_RUN
    (folder / page.FILE).write_text(page.render(outcomes, folder, questions), "utf-8", "replace")
    verdict = worst(each.verdict for each in outcomes)
    _say(f"{verdict.sign} {verdict.upper()}: {len(outcomes)} experiments, {folder / page.FILE}")
    return 0 if verdict.exit_code == 0 else FAILED


def _question(name: str) -> str:
    content = yaml.safe_load(run.path(name).read_text("utf-8"))
    return str(content["title"])


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
