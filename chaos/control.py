"""The control that every experiment declares: the lab keeps the record, and has the last word.

Before the hypothesis it opens a session on the lab that is up. After the rollbacks it looks whether
the experiment went as it is written (`chaos.judge`), lets the lab settle and judge, and makes the
outcome a failure unless all of it is good.

    controls:
      - name: lab
        provider: {type: python, module: chaos.control, arguments: {name: worker-kill}}

The Chaos Toolkit drops whatever a control raises, but for an interruption; so nothing may be raised
here that matters.
"""

from __future__ import annotations

import logging
from collections.abc import MutableMapping
from typing import Any

from chaoslib.exceptions import InterruptExecution
from chaoslib.run import EventHandlerRegistry, RunEventHandler

from chaos import judge, running
from lab.checker.check import Audit
from lab.paths import lab_command
from lab.substrates import registry
from lab.substrates.on_cluster import OnACluster

KEY = "lab"
"""Where a journal has the lab's part of it."""
CHECK = "the experiment went as it is written"
Document = MutableMapping[str, Any]
log = logging.getLogger("chaostoolkit")


class LastWord(RunEventHandler):  # type: ignore[misc]
    """Makes a failure of a run that this control did not judge, whatever kept it from that."""

    def finish(self, journal: Document) -> None:
        """Look at the journal before the toolkit draws its exit code from it."""
        if KEY not in journal:
            problem = "the control did not judge this run"
            journal["status"] = "failed"
            journal[KEY] = {"verdict": "unknown", "why": problem, "problems": [problem]}


def configure_control(event_registry: EventHandlerRegistry, **_: Any) -> None:
    """Have the last word, also if nothing below is called."""
    event_registry.register(LastWord())


def before_experiment_control(
    context: Document,
    name: str = "experiment",
    brokers: int = 1,
    cluster: bool = False,
    **_: Any,
) -> None:
    """Open the session.

    Args:
        context: what the experiment declares.
        name: of the experiment.
        brokers: how many nodes its broker has to have.
        cluster: whether the lab has to be on a cluster, whose own tools break it.

    Raises:
        InterruptExecution: there is no lab to experiment on, or it is not as it has to be.
    """
    try:
        run = running.begin(name)
    except Exception as error:  # whatever it was, nothing would be accounted for
        raise InterruptExecution(f"the lab cannot observe this experiment: {error}") from error
    if lacking := _lacking(run, brokers, cluster=cluster):
        running.taken()
        run.leave()
        raise InterruptExecution(f"the lab {run.lab_name!r} {lacking}")
    log.info("The lab %r observes; its record is %s", run.lab_name, run.lab.folder)


def _lacking(run: running.Run, brokers: int, *, cluster: bool) -> str:
    """What the lab has not that an experiment needs; empty if it has all."""
    if (there := run.lab.plan.brokers) < brokers:
        start = lab_command("up", "--breakable", "--brokers", str(brokers))
        needs = f"this experiment needs {brokers}: start one by `{start}`"
        return f"has {there} node of the broker, and {needs}"
    if cluster and not isinstance(run.lab.substrate, OnACluster):
        start = lab_command("up", "--substrate", registry.ON_A_CLUSTER, "--context", "NAME")
        chosen = f"{running.LAB_SUBSTRATE}={registry.ON_A_CLUSTER}"
        return f"is on no cluster, and this experiment needs one: `{start}`, and {chosen}"
    return ""


def after_experiment_control(context: Document, state: Document, **_: Any) -> None:
    """Judge, and make a failure of everything that is not valid."""
    found = judge.problems(context, state)
    completed = state["status"] == "completed"
    if completed:
        state["status"] = "failed"  # until it is known to be better
    said: dict[str, Any] = {"verdict": "unknown", "why": "", "run": None, "problems": found}
    state[KEY] = said
    run = running.taken()
    if run is None:
        found.append("no session of the lab was open, so nothing was accounted for")
        said["why"] = found[-1]
        return
    said["run"] = str(run.lab.folder.resolve())
    try:
        if run.load is not None:
            found.append("a load was still offered after the rollbacks")
            run.end_load()
        if run.struck:
            found.append(f"still broken after the rollbacks: {', '.join(run.struck)}")
        audit = run.end(_check(found, deviated=bool(state.get("deviated"))))
    except Exception as error:  # not judged is not valid
        run.leave()
        found.append(f"the lab could not judge: {error}")
        said["why"] = found[-1]
        log.exception("The lab could not judge")
        return
    said |= {"verdict": audit.verdict.value, "why": audit.why, "counts": audit.counts.accepted}
    if completed and audit.valid and not found:
        state["status"] = "completed"
    _tell(audit, said["run"])


def cleanup_control() -> None:
    """If the toolkit itself has crashed, leave the lab."""
    run = running.taken()
    if run is not None:
        log.error("The experiment ended without a verdict; the lab is mended")
        run.leave()


def _check(found: list[str], *, deviated: bool) -> dict[str, Any]:
    """A run that deviated has shown a weakness; one that went wrong has shown nothing."""
    ok = None if found else True
    return {
        "name": CHECK,
        "ok": False if deviated else ok,
        "detail": "; ".join(found) or "all that it declares was done",
    }


def _tell(audit: Audit, folder: str) -> None:
    level = logging.INFO if audit.valid else logging.ERROR
    log.log(level, "%s %s: %s", audit.verdict.sign, audit.verdict.upper(), audit.why)
    log.log(level, "The lab's report: %s/report.html", folder)
