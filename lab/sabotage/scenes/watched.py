"""Prometheus counts, and the ledger counts: what happens to the numbers."""

from __future__ import annotations

from functools import partial

from lab.checker import check as auditing
from lab.checker import cross_check
from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.experiment import season
from lab.experiment.lab import Lab
from lab.history import log
from lab.sabotage.scene import Setup, scene
from lab.sabotage.scenes.doing import SOON_S, pausable, restart, scrape, send
from lab.substrates.plan import Role
from lab.wait import eventually

ACCOUNTS = "the metrics agree with the ledger"
SAME_LATENCY = "the mean latency by the metrics is that of the receipts"
_LATENCY = "missing_table_message_latency_seconds"
_WATCHED = {"matches": 60, "seed": 3, "monitoring": True}

SEASON = Setup("with a season that is watched", _WATCHED)
WATCHED = Setup(
    "watched",
    {"monitoring": True, "settings": {Role.WORKER: {"MISSING_TABLE_BATCH_SIZE": "4"}}},
)


@scene(SEASON)
def a_watched_season_goes_by(lab: Lab) -> None:
    """As `pages.a_season_goes_by`; the latency of the metrics is compared, too."""
    season.observe(lab, 1, lambda line: None)
    seen = auditing.audit(log.read(lab.folder / log.FILE)).latency
    with lab.checking(SAME_LATENCY), Prometheus(str(lab.endpoints.prometheus_url)) as prometheus:
        mean_s = eventually(
            "Prometheus to have the latency",  # a scrape may be late, and its series gone
            lambda: prometheus.value(f"sum({_LATENCY}_sum) / sum({_LATENCY}_count)"),
            within_s=SOON_S,
            tolerate=(NoData,),
        )
        ledger_s = None if seen is None else seen.mean / 1000
        # A worker's clock, and the database's just before it commits: not to the millisecond.
        near = None if ledger_s is None else ledger_s / 2 < mean_s < 2 * ledger_s
        lab.check(SAME_LATENCY, ok=near, detail=f"{mean_s:.3f} s and {ledger_s} s")


@scene(WATCHED)
def a_worker_dies_and_its_counters_go_on(lab: Lab) -> None:
    """Counters live in files: what was counted before a death is still counted after it."""
    send(lab, "counted", 20)
    lab.send_foreign(0)
    lab.settle()
    scrape(lab)
    lab.settle()
    restart(lab, Role.WORKER)
    _compare(lab)


@scene(WATCHED)
def the_database_crashes_while_effects_are_counted(lab: Lab) -> None:
    """It dies while transactions are about to be committed; what did not come about counts not."""
    for crash in range(3):
        before = len(lab.ledger.effects)
        pausable(lab).pause(Role.WORKER)
        send(lab, f"uncounted-{crash}", 40)
        pausable(lab).resume(Role.WORKER)
        # Then others are under way: the batches are small.
        eventually("an effect", partial(_is_more, lab, before), within_s=SOON_S)
        restart(lab, Role.DATABASE)
        lab.settle()
    # A commit whose answer was lost in the crash is an effect that nobody could count: less than
    # there were is right here, more is not.
    _compare(lab, may_be_less=True)


def _is_more(lab: Lab, before: int) -> bool:
    lab.ledger.look()
    return len(lab.ledger.effects) > before


def _compare(lab: Lab, *, may_be_less: bool = False) -> None:
    with lab.checking(ACCOUNTS), Prometheus(str(lab.endpoints.prometheus_url)) as prometheus:
        lab.ledger.look_at_dead_letters()
        accounts = cross_check.compare(lab.ledger, prometheus)
        lab.check(
            ACCOUNTS,
            ok=all(
                each.agrees or (may_be_less and each.prometheus < each.ledger) for each in accounts
            ),
            detail="; ".join(map(str, accounts)),
        )
