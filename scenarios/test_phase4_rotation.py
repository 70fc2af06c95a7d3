"""Phase 4: every secret is replaced while matches come in; docs/guides/rotate-secrets.md as a test.

Worker, backend, scraper and the operator's tool read their secrets from files. An operator replaces
one after the other, and restarts nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from threading import Event

import pytest

from lab.checker.measures import LATENCY_MEAN
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, needs
from lab.substrates.abilities import SharesLoopback
from lab.wait import eventually, stopwatch
from scenarios.support import drivers, rotation
from scenarios.support.rotation import deployed

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

# A worker that has to log in anew is late; what is asked for is that nothing is lost.
PLAN = {"workers": 1, "concurrency": 2, "matches": 120, "objectives": {LATENCY_MEAN: None}}
WITHIN_S = 120.0
SCRAPES_MAX = 200
WAITING_MAX = 50


@needs(SharesLoopback)  # this process looks at the certificate
def test_every_secret_is_replaced_under_load_and_nothing_is_lost(
    lab: Lab, evidence: Evidence
) -> None:
    """Every password, the API's token and the certificates are replaced under load, losing nothing.

    One scraper after the other reads all of the league's pages, and matches trickle in besides.
    After each step the old secret is refused, and a match that is sent then takes effect. Nobody is
    restarted. In the end the audit is valid, and no message is dead-lettered.
    """
    with deployed(lab) as site, lab.load("trickle"), _Scrapes(lab) as scrapes:

        def step(what: str, rotate: Callable[[], None]) -> None:
            with stopwatch() as seconds:
                rotate()
                _processes_matches(lab)
            evidence(f"{what}: seconds until a match took effect", seconds())

        scrapes.one_more()
        for user in ("worker", "scraper", "operator"):
            old = lab.endpoints.broker_urls[user]
            step(f"the password of {user}", partial(site.rotate_broker_user, user))
            assert rotation.is_refused(old)
        scrapes.one_more()
        step("the API's token", lambda: site.rotate_token(lambda: _processes_matches(lab)))
        step("the password of Redis", site.rotate_redis)
        (answer,) = drivers.validate(lab, [drivers.PLAIN])
        step("the certificates", lambda: site.rotate_certificate(lambda: _processes_matches(lab)))
        # Its match may have gone by a connection that was open before, so it says nothing of that.
        eventually(
            "the backend to show the newest certificate",
            site.shows_the_newest_certificate,
            within_s=WITHIN_S,
            tolerate=(OSError,),
        )
        listed = site.list_dead_letters()
        scrapes.one_more()
    audit = lab.audit()
    logs = {name: _said(lab, name) for name in (rotation.WORKER_LOG, rotation.BACKEND_LOG)}
    evidence("scrapes", scrapes.done)
    for name, events in logs.items():
        evidence(f"{name}: new values taken over", events["took over a new value"])
        evidence(f"{name}: logins refused", events["login refused"])
    evidence("accepted, by way", lab.ledger.accepted_by)
    evidence("accepted, took effect", [audit.counts.accepted, len(lab.ledger.effects)])
    evidence("dead letters", audit.counts.dead_lettered)
    assert listed.code == 0
    assert answer["valid"] is True
    assert audit.counts.dead_lettered == 0
    assert audit.valid, audit.why


def _processes_matches(lab: Lab) -> None:
    """A match that is sent now takes effect."""
    message_id = lab.send()
    eventually(
        "a match to take effect",
        lambda: message_id in lab.ledger.effects,
        within_s=WITHIN_S,
    )


class _Scrapes:
    """One scrape after the other for the block, at later and later moments of the season.

    Attributes:
        done: how many.
    """

    def __init__(self, lab: Lab) -> None:
        self.done = 0
        self._lab = lab
        self._stop = Event()
        self._thread = ThreadPoolExecutor(1)
        self._end: Future[None] | None = None

    def __enter__(self) -> _Scrapes:
        self._end = self._thread.submit(self._go_on)
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.shutdown()

    def one_more(self) -> None:
        """Wait until one that begins after now has ended."""
        enough = self.done + 2  # the next to end has begun before
        eventually("a scrape", lambda: self._failed() or self.done >= enough, within_s=WITHIN_S)

    def _failed(self) -> bool:
        """Whether they have ended too early; raises why."""
        return bool(self._end and self._end.done() and self._end.result() is None)

    def _go_on(self) -> None:
        for moment in self._lab.season.moments(SCRAPES_MAX):
            # On a slow machine scrapers would outrun one worker, and what is asked here is not how
            # fast it is.
            eventually(
                "what was scraped to take effect, or the end",
                lambda: self._stop.is_set() or len(self._lab.ledger.waiting) < WAITING_MAX,
                within_s=WITHIN_S,
            )
            if self._stop.is_set():
                return
            self._lab.scrape(moment, self.done)
            self.done += 1


def _said(lab: Lab, log: str) -> Counter[str]:
    """The events in a log, counted."""
    (text,) = (each.text() for each in lab.substrate.logs() if each.name == log)
    lines = (json.loads(line) for line in text.splitlines() if line.startswith("{"))
    return Counter(str(line["event"]) for line in lines)
