"""The command `lab hunt`: schedules of faults at random, under load, until one shows a defect."""

from __future__ import annotations

import secrets
from typing import Annotated

import typer

from lab.cli.options import ContextName, SubstrateName, out
from lab.faults.schedule import read
from lab.hunts import hunt as hunting
from lab.hunts import show
from lab.hunts.round import RATE_PER_S, Outcome, Sabotage
from lab.report import conclude
from lab.sabotage import defects
from lab.substrates import registry
from lab.substrates.protocol import Substrate


def hunt(
    minutes: Annotated[float, typer.Option(min=0.1, max=24 * 60, help="How long.")] = 10.0,
    seed: Annotated[int, typer.Option(min=0, help="The same seed draws the same schedules.")] = 1,
    rate: Annotated[
        float, typer.Option(min=1, max=1000, help="Messages a second, meanwhile.")
    ] = RATE_PER_S,
    replay: Annotated[
        str | None, typer.Option(help="One round with this schedule, as it was printed.")
    ] = None,
    sabotage: Annotated[
        str | None, typer.Option(help="Plant a defect first; docs/reference/sabotage.md has them.")
    ] = None,
    going_on: Annotated[
        bool, typer.Option("--keep-going", help="Go on after a schedule that failed.")
    ] = False,
    substrate: SubstrateName = registry.DEFAULT,
    context: ContextName = None,
) -> None:
    """Break the system at random under load, again and again.

    Every message is accounted for.

    Each round is a lab of its own: it draws a schedule of faults that may overlap, strikes it,
    cures everything, settles and audits. A schedule that fails is made as small as it can be, and
    the command that makes it again is printed. Exit code: 0 all valid, 1 something invalid,
    2 unknown or could not run.
    """
    drawn = None if replay is None else read(replay)
    planted = _planted(sabotage)
    provider = registry.find(substrate)

    def work(_unused: Substrate) -> int:
        with hunting.pooled(provider) as faster:
            hunted = hunting.Hunt(faster, _say, rate, planted, going_on, busy=out.status)
            if drawn is not None:
                return _replayed(hunted.replay(drawn, seed))
            out.print(f"A hunt of {minutes:g} minutes at {rate:g} messages a second, seed {seed}.")
            return hunted.for_minutes(minutes, seed).exit_code

    raise typer.Exit(provider.guarded(f"hunt-{secrets.token_hex(4)}", work, _say))


def _replayed(outcome: Outcome) -> int:
    _say(show.line("  -", outcome))
    if outcome.audit is not None:
        conclude.show(outcome.audit, out, outcome.folder)
    return outcome.verdict.exit_code


def _planted(name: str | None) -> Sabotage | None:
    if name is None:
        return None
    defect = defects.find(name, defects.huntable())
    out.print(f"With the defect {name!r}: {defect.summary}")
    return Sabotage(name, defect.patch.plan)


def _say(line: str) -> None:
    out.print(line, markup=False)
