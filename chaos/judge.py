"""Whether an experiment shows anything: what the Chaos Toolkit lets pass is found here. Pure.

It calls a run completed whose actions failed, whose kills met nobody, whose rollbacks are missing,
and it takes anything that a probe gives. Here all that was declared must have been done, with an
output that is not empty; else the run has not shown what it says.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Document = Mapping[str, Any]
_WRAPPED = "chaoslib.exceptions.ActivityFailed: "
"""Put before a reason once by who gives it, and once more by the toolkit."""
_HYPOTHESIS, _METHOD, _ROLLBACKS = "steady-state-hypothesis", "method", "rollbacks"


def problems(experiment: Document, journal: Document) -> list[str]:
    """Why a run shows nothing, or that it shows a weakness; empty if all went as declared."""
    found = []
    if (status := journal.get("status")) != "completed":
        found.append(f"the run is {status or 'without a status'}, not completed")
    if journal.get("deviated") is not False:
        found.append("the steady state was another after the method")
    states = journal.get("steady_states") or {}
    declared = (experiment.get(_HYPOTHESIS) or {}).get("probes") or []
    if not declared:
        found.append("no steady state is declared")
    for when in "before", "after":
        found += _of_hypothesis(f"hypothesis {when} the method", declared, states.get(when))
    for part, key in ((_METHOD, "run"), (_ROLLBACKS, "rollbacks")):
        found += _of_activities(part, experiment.get(part) or [], journal.get(key) or [])
    return found


def is_empty(value: Any) -> bool:
    """Whether an output says nothing: none, false, not a number, or empty, also in a part of it."""
    match value:
        case None | False | "":
            return True
        case bool() | int() | str():
            return False
        case float():
            return not math.isfinite(value)
        case Mapping():
            return not value or any(map(is_empty, value.values()))
        case Sequence():
            return not value or any(map(is_empty, value))
        case _:
            return False


def _of_hypothesis(where: str, declared: Sequence[Document], state: Any) -> list[str]:
    if not state:
        return [f"{where}: it was not looked at"]
    probes = state.get("probes") or []
    found = _missing(where, declared, probes)
    for run in probes:
        said = run.get("output")
        if run.get("status") != "succeeded":
            found.append(f"{where}: {_failure(run)}")
        elif said is not True:  # 1 and NaN are not true
            found.append(f"{where}: {_name(run)} gave {said!r}, and only true is a yes")
        elif run.get("tolerance_met") is not True:
            found.append(f"{where}: {_name(run)} was not judged")
    if not found and state.get("steady_state_met") is not True:
        found.append(f"{where}: it is not met")
    return found


def _of_activities(where: str, declared: Sequence[Document], runs: Sequence[Document]) -> list[str]:
    if not declared:
        return [f"{where}: nothing is declared"]
    found = _missing(where, declared, runs)
    for run in runs:
        if run.get("status") != "succeeded":
            found.append(f"{where}: {_failure(run)}")
        elif is_empty(run.get("output")):
            found.append(
                f"{where}: {_name(run)} says nothing of what it did: {run.get('output')!r}"
            )
    return found


def _missing(where: str, declared: Sequence[Document], runs: Sequence[Document]) -> list[str]:
    """What was declared and not run."""
    left = [str(each.get("name")) for each in declared]
    for run in runs:
        if _name(run) in left:
            left.remove(_name(run))
    return [f"{where}: {name} was not run" for name in left]


def _name(run: Document) -> str:
    return str((run.get("activity") or {}).get("name"))


def _failure(run: Document) -> str:
    said = run.get("exception") or []
    last = str(said[-1]).strip() if said else "no reason given"
    return f"{_name(run)} failed: {last.replace(_WRAPPED, '')}"
