"""What an experiment looks at. A probe returns true or false, or fails if it could not look.

Those of a hypothesis are judged by their tolerance. The Chaos Toolkit does not judge a probe inside
a method, so each of those fails unless it saw what it is called after.
"""

from __future__ import annotations

from collections.abc import Callable

from chaoslib.exceptions import ActivityFailed

from chaos.running import Run, current
from lab.clients import amqp
from lab.clients.prometheus.client import FRESH_S, Prometheus
from lab.clients.prometheus.results import NoData
from lab.errors import LabError, NotWithin
from lab.paths import lab_command
from lab.slo import query, spec
from lab.slo.evaluate import SHORTEST_S, SloResult, SloState
from lab.wait import eventually
from system.contract.topology import PROCESS_QUEUE

__all__ = [
    "dead_letters_arrive",
    "every_part_runs",
    "messages_take_effect",
    "messages_wait",
    "nothing_waits",
    "publishers_are_held_up",
    "queue_has_no_consumer",
    "success_objective_is_met",
]
SUCCESS = "success"
ALL_UP = 'min(up{job!="lab"})'
"""Of the lab's parts; other programs that use the lab may come and go."""


def every_part_runs(within_s: float = 60.0) -> bool:
    """Whether every process is up, Prometheus reaches every part, and nothing is broken."""
    run = current()
    _within(within_s, "every process to be up", lambda: _is_whole(run))
    with Prometheus(_watcher(run)) as prometheus:
        _within(within_s, "every part to answer", lambda: prometheus.value(ALL_UP) == 1)
    return True


def messages_take_effect(count: int = 5, within_s: float = 30.0) -> bool:
    """Whether messages that are sent now take effect in time."""
    lab = current().lab
    sent = {lab.send(home_score=number, away_score=0) for number in range(count)}
    if not sent:
        raise ActivityFailed("no message was to be sent, so nothing would be shown")
    _within(within_s, f"{count} messages to take effect", lambda: sent <= lab.ledger.effects)
    return True


def success_objective_is_met(within_s: float = 40.0) -> bool:
    """Whether the objective for success, over the time of this run so far, is met.

    Raises:
        ActivityFailed: Prometheus has no value, or one that is old or not a number.
    """
    run = current()
    with Prometheus(_watcher(run)) as prometheus:
        last: list[str] = []

        def look() -> SloResult | None:
            result = _success(run, prometheus)
            last[:] = [result.because]
            return None if result.verdict is SloState.UNKNOWN else result

        try:
            result = eventually(
                "the objective to have a value", look, within_s=within_s, tolerate=(NoData,)
            )
        except NotWithin as error:
            raise ActivityFailed(f"{SUCCESS} is unknown: {' '.join(last) or error}") from error
    return result is not None and result.verdict is SloState.MET


def nothing_waits(within_s: float = 60.0) -> bool:
    """Whether every message that was accepted so far ends somewhere in time."""
    lab = current().lab
    if not lab.ledger.accepted:
        raise ActivityFailed("nothing was accepted, so nothing is shown")
    _within(within_s, "every message to end", lambda: not lab.ledger.waiting)
    return True


def messages_wait(at_least: int = 20, within_s: float = 30.0) -> bool:
    """For methods: messages wait, because something that they need is broken."""
    lab = current().lab

    def look() -> bool:
        return len(lab.ledger.waiting) >= at_least

    _within(within_s, f"{at_least} messages to wait", look)
    return True


def publishers_are_held_up(at_least: int = 20, within_s: float = 30.0) -> bool:
    """For methods: so many messages were attempted and are not accepted."""
    ledger = current().lab.ledger

    def look() -> bool:
        counts = ledger.counts()
        return counts["attempted"] - counts["accepted"] >= at_least

    _within(within_s, f"{at_least} messages to be held up", look)
    return True


def queue_has_no_consumer(within_s: float = 30.0) -> bool:
    """For methods: no worker is at the queue of matches."""
    url = current().lab.endpoints.broker_urls["admin"]

    def look() -> bool:
        with amqp.channel(url) as on:
            return bool(on.queue_declare(PROCESS_QUEUE, passive=True).method.consumer_count == 0)

    _within(within_s, "the queue to have no consumer", look)
    return True


def dead_letters_arrive(at_least: int = 1, within_s: float = 30.0) -> bool:
    """For methods: so many messages of this run are dead letters."""
    ledger = current().lab.ledger

    def look() -> bool:
        ledger.look_at_dead_letters()
        return len(ledger.dead & ledger.attempted) >= at_least

    _within(within_s, f"{at_least} dead letters", look)
    return True


def _is_whole(run: Run) -> bool:
    status = run.provider.status(run.lab_name)
    return status.verdict == "up" and not status.breaches


def _success(run: Run, prometheus: Prometheus) -> SloResult:
    (slo,) = (each for each in spec.load() if each.name == SUCCESS)
    now = prometheus.value("time()")
    span = query.window(min(run.begun, now - SHORTEST_S), now, FRESH_S, from_zero=True)
    (result,) = query.evaluate_slos(prometheus, [slo], span)
    return result


def _watcher(run: Run) -> str:
    url = run.lab.endpoints.prometheus_url
    if url is None:
        raise ActivityFailed(
            f"this lab runs without Prometheus; start one by `{lab_command('up', '--breakable')}`"
        )
    return url


def _within(within_s: float, what: str, look: Callable[[], bool]) -> None:
    """Look until it is so.

    Raises:
        ActivityFailed: it was not in time.
    """
    try:
        eventually(what, look, within_s=within_s, every_s=0.1, tolerate=(LabError, *amqp.TROUBLE))
    except NotWithin as error:
        raise ActivityFailed(str(error)) from error
