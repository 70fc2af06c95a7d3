"""Something is away, or an alarm holds up who publishes, while matches come."""

from __future__ import annotations

from itertools import accumulate

from lab.clients import amqp
from lab.clients.backend import Backend
from lab.errors import NotWithin
from lab.experiment.lab import Lab
from lab.faults import registry
from lab.sabotage.scene import Setup, scene
from lab.sabotage.scenes.doing import (
    AS_IT_IS,
    SOON_S,
    none_waits,
    scrape,
    send,
    wrong_login,
)
from lab.substrates.abilities import Scalable
from lab.substrates.plan import Link, Role
from lab.wait import eventually, stopwatch
from lab.workload.profiles import Profile
from system.contract.submission import Receipt
from system.contract.topology import RETRY_DELAYS_S

GOES_ON = "work goes on during a memory alarm"
BACK_OFF = "retries leave the API time to come back"
_BATCH = 4
"""Small, or one request would take all of a backlog."""
_BACKLOG = Profile("a backlog", at_once=400, lasts_s=1)
"""By far more than is done before the alarm is seen: at two seconds for each of two batches, what
takes a hundred seconds. What is left of it is done at once when the way is fast again."""
_GO_ON = 2 * _BATCH + 3 * 2 * _BATCH
"""Effects in an alarm: more than the batches under way, and those of the two seconds until a worker
that sends events sends the next one, at a second for each batch."""
_AWAY_S = 4.0
_SOONEST = 0.75
"""Of a retry step, what jitter leaves at least."""

FEW_AT_A_TIME = Setup(
    "with few matches at a time",
    {
        "workers": 0,  # the first one comes when it may do everything
        "relayed": frozenset({Link.WORKER_API}),
        "settings": {Role.WORKER: {"MISSING_TABLE_BATCH_SIZE": str(_BATCH)}},
    },
)


BEHIND_A_PROXY = Setup(
    "with something between the workers and the API", {"relayed": frozenset({Link.WORKER_API})}
)


@scene(AS_IT_IS)
def results_are_away(lab: Lab) -> None:
    """Redis is dead while matches come, until the worker has ended with all of them in order.

    Those of the earlier system do not say that no caller waits for their result.
    """
    with lab.fault("results-killed"):
        send(lab, "results", 5)
        lab.send_foreign(1)
        lab.settle()
        with lab.fault("worker-terminated"):
            pass


@scene(AS_IT_IS)
def the_api_is_away(lab: Lab) -> None:
    """It is dead for some seconds, so that matches fail and are tried again."""
    with stopwatch() as seconds:
        with lab.fault("api-killed"):
            sent = send(lab, "away", 6)
            none_waits(lab)
            lab.run_for(_AWAY_S)
        lab.settle()
        passed = seconds()
    attempts = [each.attempt for each in _receipts(lab) if each.message_id in set(sent)]
    most, allowed = max(attempts, default=0), _attempts_within(passed)
    lab.check(
        BACK_OFF,
        ok=most <= allowed,
        detail=f"{most} attempts of one match in {passed:.0f} s, {allowed} may be",
    )


@scene(BEHIND_A_PROXY)
def matches_pass_a_proxy(lab: Lab) -> None:
    """On their way from the workers to the API."""
    send(lab, "proxied", 5)
    none_waits(lab)


@scene(AS_IT_IS)
def the_broker_refuses_the_scraper(lab: Lab) -> None:
    """So everything goes to the API."""
    scrape(lab, settings=wrong_login(lab))


@scene(AS_IT_IS)
def the_scraper_has_no_way(lab: Lab) -> None:
    """Neither broker nor API takes anything from it; later it sends what is in its outbox."""
    scrape(lab, settings={**wrong_login(lab), "MISSING_TABLE_API_URL": None})
    lab.ledger.follow(lab.scraper.drain_journal)
    lab.scraper.drain()


@scene(AS_IT_IS)
def the_queue_is_unbound(lab: Lab) -> None:
    """The scraper publishes while nothing is bound.

    No retry is on its way then, so there is no dead-letter route to wait for, as after lab.fault.
    """
    with registry.find("queue-unbound").strike(lab):
        scrape(lab)


@scene(FEW_AT_A_TIME)
def an_alarm_is_raised(lab: Lab) -> None:
    """A slow link makes a backlog last; then the broker's memory alarm blocks who publishes."""
    assert isinstance(lab.substrate, Scalable)
    lab.endpoints.management.allow_everything("worker")  # a careless deployment
    with lab.fault("link-slowed", link=Link.WORKER_API, latency_s=1):
        earlier = set(lab.ledger.attempted)
        with lab.load(_BACKLOG) as load:
            assert load.over.wait(2 * SOON_S)
        sent = lab.ledger.attempted - earlier
        lab.substrate.scale(Role.WORKER, 1)  # only now: the backlog has to last
        with lab.fault("broker-memory-alarm"):
            eventually(
                "the alarm",
                lambda: lab.endpoints.management.alarms() == ["memory"],
                within_s=SOON_S,
                tolerate=(amqp.BrokerSilent,),
            )
            before = _applied(lab, sent)
            try:
                eventually(
                    f"{_GO_ON} more effects",
                    lambda: _applied(lab, sent) >= before + _GO_ON,
                    within_s=40,
                )
                went_on = True
            except NotWithin:
                went_on = False
            after = _applied(lab, sent)
    detail = f"{after - before} effects of {len(sent) - before} outstanding"
    lab.check(GOES_ON, ok=went_on if before < len(sent) else None, detail=detail)


def _applied(lab: Lab, sent: set[str]) -> int:
    return len(lab.ledger.effects & sent)


def _receipts(lab: Lab) -> list[Receipt]:
    """All that there are."""
    backend, found, after = Backend(lab.endpoints.api_url), list[Receipt](), ""
    while True:
        some, after = backend.receipts(after)
        if not some:
            return found
        found += some


def _attempts_within(seconds: float) -> int:
    """How often a match may be tried in so long, if each step is waited for. Pure."""
    soonest = accumulate(_SOONEST * step for step in RETRY_DELAYS_S)
    return 1 + sum(passed <= seconds for passed in soonest)
