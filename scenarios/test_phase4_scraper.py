"""Phase 4: scraper integration.

A page of the league is followed to the store; then the ways between are cut, one by one and
all at once, and the scraper itself is killed. What the two sides have to agree about comes in the
second half, `test_phase4_versions`.
"""

from __future__ import annotations

import statistics
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest

from lab.checker import model
from lab.clients.backend import Backend
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, needs
from lab.substrates.abilities import Partitionable, Pausable, SharesFiles, SharesLoopback
from lab.substrates.plan import Link, Role
from lab.wait import eventually, stopwatch
from lab.workload.scraper import SPOOLED
from scenarios.support import drivers, hello, queue_contents, saved_pages
from scenarios.support.hangup import HangUpServer
from scenarios.support.hello import killable
from scenarios.support.scrapes import Sender
from system.contract.envelope import CONTRACT, PUBLISHED_AT

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

PLAN = {
    "workers": 1,
    "concurrency": 2,
    "relayed": frozenset({Link.SCRAPER_BROKER, Link.SCRAPER_API}),
}
BACK_WITHIN_S = 120.0
"""For messages whose worker lost its broker: kombu's pauses grow to half a minute."""
PAUSES = [(0.05 * 2**n, 0.1 * 2**n) for n in range(6)] + [(2.5, 5.0)] * 3
"""The shortest and the longest pause after each failed attempt to connect, in seconds."""


def moments(lab: Lab) -> list[datetime]:
    """Five days of the season, from before its first match to after its last one."""
    return lab.season.moments(5)


def test_one_match_is_followed_through_every_log_and_table(lab: Lab, evidence: Evidence) -> None:
    """One id leads from the league's page through journal, queue and log to the receipt.

    The worker is stopped while the page is read, so that the message can be found in its queue.
    """
    _empty_the_store(lab)
    sender = Sender(lab, "followed", moments(lab)[1])
    with hello.no_worker(lab):
        run = sender.scrape([saved_pages.save_page(lab, sender.moment, 1)])
        attempted, accepted = sender.journal("attempted")[0], sender.journal("accepted")[0]
        message_id, identity = attempted["message_id"], attempted["identity"]
        message = next(
            each for each in queue_contents.messages(lab) if each.message_id == message_id
        )
        early = drivers.receipts(lab, [message_id])
    drivers.wait_for_receipts(lab, sender.ids())
    (line,) = drivers.wait_for_log_lines(lab, [message_id], 1)
    (receipt,) = drivers.receipts(lab, [message_id])
    (stored,) = drivers.matches(lab, identity)
    shown = lab.season.truth_at(sender.moment)[identity]
    late = (receipt["committed_at"] - receipt["published_at"]).total_seconds()
    evidence("1 the page's row", [identity, shown.home_team, shown.away_team])
    evidence("2 the journal, before and after sending", [attempted["event"], accepted["event"]])
    evidence("2 message id", message_id)
    evidence("3 the queue: exchange, key", [message.exchange, message.key])
    evidence("3 the envelope", {name: message.headers[name] for name in ("task", CONTRACT)})
    evidence("3 the match in it", message.match)
    evidence("4 the worker's log", [line.worker, line.event, line.effect])
    evidence("5 the receipt", {name: receipt[name] for name in ("effect", "way", "attempt")})
    evidence("5 the stored match", {n: stored[n] for n in ("id", "status", "observed_at")})
    evidence("seconds from published to committed, the worker's absence included", late)
    assert run.output["accepted_by_way"] == {"queue": len(sender.ids())}
    assert accepted["message_id"] == message_id
    assert early == []
    assert message.match["external_match_id"] == identity
    assert datetime.fromisoformat(message.headers[PUBLISHED_AT]) == receipt["published_at"]
    assert line.effect == receipt["effect"]
    assert receipt["way"] == "queue"
    assert (stored["id"], stored["message_id"]) == (receipt["match_id"], message_id)
    assert stored["home_team"] == shown.home_team


def test_both_ways_end_in_the_same_store(lab: Lab, evidence: Evidence) -> None:
    """A season read by `--mode queue` and by `--mode http` ends in the same stored matches.

    The store is emptied before each. Both are also compared with what happened in the season.
    """
    stored: dict[str, list[dict[str, Any]]] = {}
    for mode in ("queue", "http"):
        _empty_the_store(lab)
        ids = []
        for number in (1, 3, 4):
            sender = Sender(lab, f"both-{mode}-{number}", moments(lab)[number])
            sender.scrape(mode=mode)
            assert sender.ways() == {mode: len(sender.ids())}
            drivers.wait_for_receipts(lab, sender.ids())
            ids += sender.ids()
        receipts = drivers.receipts(lab, ids)
        took = [1000 * (r["committed_at"] - r["published_at"]).total_seconds() for r in receipts]
        matches = list(Backend(lab.endpoints.api_url).matches())
        stored[mode] = [
            {name: each[name] for name in ("identity", *model.FIELDS)}
            for each in sorted(matches, key=lambda each: str(each["identity"]))
        ]
        evidence(f"{mode}: receipts, by way", Counter(each["way"] for each in receipts))
        evidence(f"{mode}: receipts, by effect", Counter(each["effect"] for each in receipts))
        evidence(f"{mode}: ms from published to committed, median", statistics.median(took))
        evidence(f"{mode}: matches stored", len(matches))
        assert {each["way"] for each in receipts} == {mode}
    true = {
        identity: model.of(each) for identity, each in lab.season.truth_at(moments(lab)[4]).items()
    }
    wrong = [str(each) for each in model.compare(stored["http"], true, lab.season.aliases)]
    evidence("matches that differ", sum(a != b for a, b in zip(*stored.values(), strict=True)))
    evidence("differences from what happened", wrong)
    assert stored["queue"] == stored["http"]
    assert wrong == []


@needs(SharesFiles)  # pages are handed over by named pipes
def test_a_broker_that_dies_is_gone_round_until_it_is_back(lab: Lab, evidence: Evidence) -> None:
    """Without its broker a running scraper goes on by HTTP, and by the queue again afterwards.

    One run of the scraper reads three pages, which are handed to it one by one. Before the second
    one the broker is killed; before the third it is back.
    """
    sender = Sender(lab, "fallback", moments(lab)[2])
    pages = [saved_pages.fetch_page(lab, sender.moment, number) for number in (1, 2, 3)]
    pipes = [saved_pages.create_pipe(lab, number) for number in (1, 2, 3)]
    with sender.scraping([pipe.name for pipe in pipes]) as scraper:
        sent: list[dict[str, Any]] = []
        sizes: list[int] = []
        for number, (pipe, content) in enumerate(zip(pipes, pages, strict=True), start=1):
            outage = lab.fault("broker-killed") if number == 2 else nullcontext()
            with outage, stopwatch() as seconds:
                saved_pages.hand_over(pipe, content)
                sender.wait_until_safe(more_than=len(sent))
                took = round(seconds(), 1)
            new = sender.journal("accepted")[len(sent) :]
            sent += new
            sizes.append(len(new))
            way = {each["way"] for each in new}
            state = "unavailable" if number == 2 else "there"
            evidence(f"page {number}, the broker {state}", f"by {'/'.join(way)}, {took} s")
        eventually("the scraper to end", lambda: scraper.ended() is not None, within_s=60)
    evidence("messages by way, as the scraper counts", sender.ways())
    drivers.wait_for_receipts(lab, sender.ids(), within_s=BACK_WITHIN_S)
    receipts = drivers.receipts(lab, sender.ids())
    evidence("receipts by way, as the store counts", Counter(each["way"] for each in receipts))
    evidence("messages in the outbox", sender.waiting())
    assert sender.ways() == {"queue": sizes[0] + sizes[2], "http": sizes[1]}
    assert Counter(each["way"] for each in receipts) == sender.ways()
    assert len(receipts) == len(sender.ids())
    assert sender.waiting() == 0


@needs(Partitionable)
def test_a_scraper_that_is_cut_off_keeps_all_while_the_system_goes_on(
    lab: Lab, evidence: Evidence
) -> None:
    """Both of its links are cut, to the broker and to the API; nobody else's is.

    What others send takes effect meanwhile. Once the links heal, `drain` sends what was kept.
    """
    sender = Sender(lab, "cut-off", moments(lab)[1])
    page = saved_pages.save_page(lab, sender.moment, 2)
    with (
        lab.fault("link-cut", link=Link.SCRAPER_BROKER),
        lab.fault("link-cut", link=Link.SCRAPER_API),
    ):
        run = sender.scrape([page])
        ways, kept, noted = sender.ways(), sender.waiting(), sender.journal("accepted")[0]
        others = [lab.send(external_match_id=f"meanwhile-{n}") for n in range(5)]
        drivers.wait_for_receipts(lab, others)
        early = drivers.receipts(lab, sender.ids())
    drained = sender.drain()
    drivers.wait_for_receipts(lab, sender.ids())
    evidence("cut off: the scraper says", {"exit code": run.code, **ways})
    evidence("cut off: why not by the queue", run.why)
    evidence("cut off: why not by HTTP", noted["detail"])
    evidence("cut off: what others sent took effect", len(others))
    evidence("healed: `drain` says", {"exit code": drained.code, **drained.output})
    assert run.code == SPOOLED
    assert ways == {"outbox": len(sender.ids())}
    assert kept == len(sender.ids()) > 0
    assert "/api/matches" in noted["detail"]
    assert early == []
    assert (drained.code, drained.output["waiting"]) == (0, 0)
    assert drained.output["accepted_by_way"] == {"queue": kept}


def test_with_every_way_gone_the_outbox_keeps_all(lab: Lab, evidence: Evidence) -> None:
    """With broker and API down, every message waits in the outbox; then they go in their order.

    A page is read while both are dead, and `drain` is tried in vain. Then both are back, while the
    worker is not, so that the order in the queue can be seen.
    """
    sender = Sender(lab, "outbox", moments(lab)[0])
    page = saved_pages.save_page(lab, sender.moment, 3)
    on = killable(lab)
    with hello.no_worker(lab):
        on.kill(Role.BROKER)
        on.kill(Role.API)
        try:
            run = sender.scrape([page])
            ways, noted = sender.ways(), sender.journal("accepted")[0]
            vain = sender.drain()
            kept = sender.waiting()
        finally:
            on.start(Role.BROKER)
            on.start(Role.API)
        drained = sender.drain()
        # A message of an experiment before this one may have come back to the queue: its effect is
        # there, but its acknowledgement died with the broker.
        ids = sender.ids()
        order = [each.message_id for each in queue_contents.messages(lab) if each.message_id in ids]
    drivers.wait_for_receipts(lab, ids, within_s=BACK_WITHIN_S)
    receipts = drivers.receipts(lab, ids)
    evidence(
        "both down: the scraper says",
        {"exit code": run.code, **run.output["accepted_by_way"]},
    )
    evidence("both down: why not by the queue", run.why)
    evidence("both down: why not by HTTP", noted["detail"])
    evidence("both down: `drain` says", {"exit code": vain.code, **vain.output})
    evidence("both back: `drain` says", {"exit code": drained.code, **drained.output})
    evidence("in the queue in the order of the page", order == ids)
    evidence("receipts, messages", [len(receipts), len(ids)])
    assert run.code == SPOOLED
    assert run.output["accepted_by_way"] == ways == {"outbox": len(ids)}
    assert "connection to the broker" in run.why
    assert "/api/matches" in noted["detail"]
    assert (vain.code, vain.output["waiting"], kept) == (3, len(ids), len(ids))
    assert (drained.code, drained.output["waiting"]) == (0, 0)
    assert drained.output["accepted_by_way"] == {"queue": len(ids)}
    assert order == ids
    assert len(receipts) == len(ids)


@needs(SharesFiles)
def test_a_scrape_that_is_killed_is_just_run_again(lab: Lab, evidence: Evidence) -> None:
    """A scraper killed in the middle of a page and run again stores every match, once.

    The broker hangs when the second page comes, so the scraper waits for its confirms; there it is
    killed with SIGKILL. The same pages are read again, under the same ids.
    """
    assert isinstance(lab.substrate, Pausable)
    # Without the API it waits for the broker alone; and a third page never comes.
    sender = Sender(lab, "killed", moments(lab)[3], {"MISSING_TABLE_API_URL": None})
    pipes = [saved_pages.create_pipe(lab, number) for number in (1, 2, 3)]
    with sender.scraping([pipe.name for pipe in pipes]) as scraper:
        saved_pages.hand_over(pipes[0], saved_pages.fetch_page(lab, sender.moment, 1))
        sender.wait_until_safe()
        first = len(sender.ids())
        lab.substrate.pause(Role.BROKER)
        try:
            saved_pages.hand_over(pipes[1], saved_pages.fetch_page(lab, sender.moment, 2))
            eventually(
                "the second page to be in the outbox",
                lambda: len(sender.ids()) > first and sender.waiting() == len(sender.ids()) - first,
                within_s=60,
            )
            scraper.kill()
        finally:
            lab.substrate.resume(Role.BROKER)
    evidence("messages attempted, on the first page", first)
    evidence("messages attempted, on the second", len(sender.ids()) - first)
    evidence("when it was killed: confirmed by the broker", sender.ways()["queue"])
    evidence("when it was killed: in the outbox", kept := sender.waiting())
    assert kept == len(sender.ids()) - first > 0
    assert sender.ways()["queue"] == first
    again = sender.scrape([saved_pages.save_page(lab, sender.moment, number) for number in (1, 2)])
    drivers.wait_for_receipts(lab, sender.ids())
    assert lab.settle()
    receipts = drivers.receipts(lab, sender.ids())
    identities = {each["identity"] for each in sender.journal("attempted")}
    rows = [row for each in sorted(identities) for row in drivers.matches(lab, each)]
    # What came twice has its receipt, and its second coming may still be on its way.
    effects = eventually(
        "the first page to come a second time",
        lambda: found if (found := _effects(lab, sender))["duplicate"] >= first else Counter(),
        within_s=60,
        every_s=0.1,
    )
    evidence("run again: accepted", again.output["accepted_by_way"])
    evidence("deliveries to the worker, by effect", effects)
    evidence(
        "matches, their rows, messages, their receipts",
        [len(identities), len(rows), len(sender.ids()), len(receipts)],
    )
    assert len(rows) == len(identities)
    assert len(receipts) == len(sender.ids())
    assert effects["duplicate"] >= first  # the first page came twice, so this was put to the test
    assert sender.waiting() == 0


@needs(SharesLoopback)  # what hangs up is in this process
def test_attempts_to_connect_grow_rare(lab: Lab, evidence: Evidence) -> None:
    """At an unavailable broker, pauses between attempts double, each with jitter, up to a deadline.

    Two scrapers call, at the same moment, something that takes each call and hangs up. What lies
    between the calls is the pause and the little time that an attempt takes.
    """
    page = saved_pages.save_page(lab, moments(lab)[0], 3)
    with HangUpServer() as one, HangUpServer() as other, ThreadPoolExecutor(2) as pool:
        senders = [_caller(lab, f"calls-{each.port}", each.port) for each in (one, other)]
        runs = list(pool.map(lambda sender: sender.scrape([page]), senders))
    for name, server in (("one", one), ("the other", other)):
        evidence(f"{name}: pauses, in seconds", [round(each, 2) for each in server.pauses()])
        evidence(f"{name}: seconds from first call to last", server.calls[-1] - server.calls[0])
    evidence("what they say", runs[0].why)
    evidence("where the messages are", senders[0].ways())
    for server, sender in zip((one, other), senders, strict=True):
        assert len(server.pauses()) >= 4
        for pause, (shortest, longest) in zip(server.pauses(), PAUSES, strict=False):
            assert shortest <= pause < longest + 3.0  # a busy machine takes its time to call
        assert server.calls[-1] - server.calls[0] < 12.0  # the deadline is ten
        assert set(sender.ways()) == {"outbox"}
    alike = sum(abs(a - b) < 0.001 for a, b in zip(one.pauses(), other.pauses(), strict=False))
    evidence("pauses that both have in common, to the millisecond", alike)
    assert alike < 2


def _effects(lab: Lab, sender: Sender) -> Counter[str]:
    """What the deliveries of a sender's messages did, by the workers' own word."""
    return Counter(line.effect for line in drivers.log_lines(lab, sender.ids()))


def _caller(lab: Lab, name: str, port: int) -> Sender:
    """A scraper that has only a broker, at `port`."""
    parts = urlsplit(lab.endpoints.broker_urls["scraper"])
    login, _, _ = parts.netloc.rpartition("@")
    url = parts._replace(netloc=f"{login}@127.0.0.1:{port}").geturl()
    settings = {"MISSING_TABLE_BROKER_URL": url, "MISSING_TABLE_API_URL": None}
    return Sender(lab, name, moments(lab)[0], settings)


def _empty_the_store(lab: Lab) -> None:
    with psycopg.connect(lab.endpoints.database_url, connect_timeout=20) as connection:
        connection.execute("SET lock_timeout = '60s'; TRUNCATE receipts, matches, teams CASCADE")
