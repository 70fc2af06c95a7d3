"""What the verdict must notice, or must not pretend to know, on a running system.

The tests share one lab and stand in an order: what an earlier one leaves in the history does not
concern the later ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest
from rich.console import Console

from lab.checker import check as auditing
from lab.checker import verdict
from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.checker.verdict import Verdict
from lab.clients import amqp
from lab.experiment import season
from lab.experiment import settle as settling
from lab.experiment.lab import Lab
from lab.experiment.plugin import staged
from lab.history import log
from lab.substrates.abilities import Killable
from lab.substrates.plan import Role
from lab.wait import eventually
from system.contract.topology import PROCESS_QUEUE

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WEAKENED = "system.tests.weakened"
WAYS = "every message went by the queue"
TRUTH = "every stored match equals the season's truth"
NEWEST = "every stored match is the newest observation that took effect"

BY_HAND = {
    "kickoff": ("kickoff = kickoff + interval '1 hour' WHERE kickoff IS NOT NULL", TRUTH),
    "notes": ("notes = 'by hand'", TRUTH),
    "source": ("source = 'by hand'", TRUTH),
    "division_id": ("division_id = 7", TRUTH),
    "observed_at": ("observed_at = observed_at - interval '1 minute'", NEWEST),
    "message_id": ("message_id = message_id || 'x'", NEWEST),
}


@pytest.fixture(scope="module")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A small lab for the whole module; speed is judged elsewhere."""
    plan = {"matches": 80, "objectives": {LATENCY_MEAN: None}}
    with staged(request, tmp_path_factory, plan) as shared:
        yield shared


def judged(lab: Lab) -> Audit:
    """The verdict on the history so far."""
    return auditing.audit(log.read(lab.folder / log.FILE))


def checked(lab: Lab, name: str) -> tuple[str, str]:
    """Verdict and detail of the newest check of that name."""
    *_, newest = (check for check in judged(lab).checks if check.name == name)
    return newest.verdict, newest.detail


def execute(lab: Lab, statement: str, values: Sequence[Any] = ()) -> int:
    """Change the database by hand; return how many rows."""
    with psycopg.connect(lab.endpoints.database_url) as connection:
        return connection.execute(statement.encode(), values).rowcount


def run_on(lab: Lab, monkeypatch: pytest.MonkeyPatch, folder: Path) -> Audit:
    """`lab run`, on the lab that is there instead of one of its own."""

    @contextmanager
    def session(*_: object, **__: object) -> Iterator[Lab]:
        yield lab

    monkeypatch.setattr(season, "session", session)
    with (folder / "printed").open("w") as printed:
        return season.run(
            lab.substrate, lab.plan, scrapes=1, console=Console(file=printed, width=100)
        )


def test_a_prometheus_that_is_gone_leaves_the_verdict_unknown(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It could not look: that is no breach, and no pass."""
    monkeypatch.setattr("lab.checker.cross_check.SEEN_WITHIN_S", 1.0)
    nobody = replace(lab.endpoints, prometheus_url="http://127.0.0.1:1")
    monkeypatch.setattr(lab, "endpoints", nobody)

    audit = run_on(lab, monkeypatch, tmp_path)

    assert audit.verdict is Verdict.UNKNOWN
    assert audit.verdict.exit_code == 2
    assert "the metrics agree with the ledger" in audit.why
    assert verdict.read(lab.folder / verdict.FILE)["verdict"] == "unknown"
    assert [f.law for f in audit.findings if f.verdict is not Verdict.VALID] == []
    assert checked(lab, WAYS)[0] == Verdict.VALID
    assert "NotWithin" in (lab.folder / "logs" / "lab.log").read_text()


@pytest.mark.parametrize("field", BY_HAND)
def test_a_field_that_was_changed_by_hand_is_noticed(field: str, lab: Lab) -> None:
    """In every row of the store; put back afterwards, all is well again."""
    change, check = BY_HAND[field]
    if not lab.ledger.effects:
        season.observe(lab, 1, lambda line: None)
    execute(lab, "CREATE TABLE kept AS SELECT * FROM matches")
    try:
        changed = execute(lab, f"UPDATE matches SET {change}")  # noqa: S608 - from BY_HAND
        lab.compare_with_truth()
        found, detail = checked(lab, check)
    finally:
        execute(
            lab,
            "UPDATE matches m SET kickoff = k.kickoff, notes = k.notes, source = k.source,"
            " division_id = k.division_id, observed_at = k.observed_at, message_id = k.message_id"
            " FROM kept k WHERE k.id = m.id",
        )
        execute(lab, "DROP TABLE kept")
    assert changed > 60
    assert found == Verdict.INVALID
    assert f"{changed} differences" in detail
    assert field in detail
    lab.compare_with_truth()
    assert checked(lab, check)[0] == Verdict.VALID


def test_a_message_that_went_round_the_queue_is_noticed(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is lost by it and every law holds; but nothing was broken, and it had no reason."""
    monkeypatch.setattr(
        lab, "scraper", replace(lab.scraper, wrapper=f"{WEAKENED}.stray_ways", seed=40)
    )
    before = lab.ledger.effects_by["http"]

    season.observe(lab, 1, lambda line: None)

    found, detail = checked(lab, WAYS)
    assert found == Verdict.INVALID
    assert lab.ledger.effects_by["http"] - before == 2  # of 80 messages
    assert "http: 2" in detail


def test_what_the_api_refused_for_good_is_in_a_place_and_not_lost(lab: Lab) -> None:
    """Accepted into the outbox while all was away; refused when the API came back.

    These are good messages to the lab, which does not know that the sender has drifted. So law 4 is
    broken, with the API's reason, and law 1 is not.
    """
    right = lab.endpoints.broker_urls["scraper"]
    settings = {
        "WEAKENED": '{"add": {"referee": "Jo Doe"}}',
        "MISSING_TABLE_BROKER_URL": right.replace("scraper:", "scraper:wrong"),
    }
    drifted = replace(
        lab.scraper,
        wrapper=f"{WEAKENED}.drifted_sender",
        seed=41,
        settings=settings,
    )
    lab.ledger.follow(drifted.journal(41))
    lab.ledger.follow(drifted.drain_journal)
    assert isinstance(lab.substrate, Killable)
    lab.substrate.kill(Role.API)
    drifted.scrape(lab.season.moments(1)[0], 41)
    assert drifted.waiting() >= 80
    lab.substrate.start(Role.API)
    drifted.try_to_drain()
    assert (drifted.waiting(), len(drifted.refused())) == (0, 80)

    assert lab.settle()
    lab.final_look()

    audit = judged(lab)
    assert (audit.counts.lost, audit.counts.set_aside) == (0, 80)
    assert audit.finding(1).verdict is Verdict.VALID, audit.finding(1).explanation
    assert audit.finding(4).verdict is Verdict.INVALID
    assert "80 set aside in the outbox" in audit.finding(4).explanation
    assert all("referee" in each.detail for each in audit.story.deaths if each.queue == "outbox")


def test_a_scrape_whose_messages_all_had_to_stay_is_right_where_there_was_no_other_way(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its exit code says that they are in the outbox. And one that misses a page is not right."""
    usual = lab.scraper
    right = lab.endpoints.broker_urls["scraper"]
    no_way: dict[str, str | None] = {
        "MISSING_TABLE_BROKER_URL": right.replace("scraper:", "scraper:wrong"),
        "MISSING_TABLE_API_URL": None,
    }
    (moment,) = lab.season.moments(1)
    monkeypatch.setattr(lab, "scraper", replace(usual, settings=no_way, seed=42))
    lab.scrape(moment, 42)
    spooled = checked(lab, "scrape 43")
    lab.ledger.follow(usual.drain_journal)
    usual.drain()
    short = replace(usual, seed=43, wrapper=f"{WEAKENED}.first_page_only")
    monkeypatch.setattr(lab, "scraper", short)
    lab.scrape(moment, 43)
    assert lab.settle()

    assert spooled[0] == Verdict.VALID, spooled
    assert spooled[1].endswith("all of it stayed in the outbox")
    assert checked(lab, "scrape 44")[0] == Verdict.INVALID


def test_a_run_that_crashed_has_a_verdict_all_the_same(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def crash(*_: object, **__: object) -> None:
        raise ZeroDivisionError("of the lab itself")

    (lab.folder / verdict.FILE).unlink(missing_ok=True)
    monkeypatch.setattr(Lab, "scrape", crash)
    run_on(lab, monkeypatch, tmp_path)
    assert checked(lab, "the season went by")[0] == Verdict.UNKNOWN
    (lab.folder / verdict.FILE).unlink()

    monkeypatch.setattr(Lab, "finish", crash)
    with pytest.raises(ZeroDivisionError):
        run_on(lab, monkeypatch, tmp_path)
    assert verdict.read(lab.folder / verdict.FILE)["name"] == lab.folder.name.split("-", 1)[1]


def test_what_was_given_out_once_more_has_not_settled(lab: Lab) -> None:
    """All have their receipts and no queue holds a message; one could still take effect twice."""
    with lab.fault("connections-closed"):
        once = lab.send(external_match_id="again")
    assert lab.settle()
    with ThreadPoolExecutor(1) as beside:
        with lab.fault("matches-locked"):
            lab.send(external_match_id="again", message_id=once)
            eventually(
                "a worker to take it",
                lambda: lab.ledger.depths()[PROCESS_QUEUE] == 0,
                within_s=20,
            )
            settled = beside.submit(lab.settle)
            eventually(
                "the broker to count it",
                lambda: lab.endpoints.management.held(amqp.WORK) == 1,
                within_s=20,
            )
            assert not settled.done()
        assert settled.result(timeout=60)


def test_receipts_that_were_deleted_by_hand_are_lost_effects(lab: Lab) -> None:
    season.observe(lab, 1, lambda line: None)
    assert lab.settle()
    chosen = sorted(lab.ledger.effects & lab.ledger.accepted)[:3]
    gone = execute(lab, "DELETE FROM receipts WHERE message_id = ANY(%s)", [chosen])
    assert gone == 3

    lab.final_look()

    audit = judged(lab)
    assert audit.finding(1).verdict is audit.finding(2).verdict is Verdict.INVALID
    assert set(audit.finding(2).examples) == set(chosen)
    assert audit.counts.lost == 3


def test_a_queue_that_was_deleted_with_its_messages_ends_in_a_verdict(
    lab: Lab, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nothing crashes; what was in it is not taken for settled."""
    monkeypatch.setattr(settling, "deadline_s", lambda *_: 5.0)
    assert isinstance(lab.substrate, Killable)
    lab.substrate.kill(Role.WORKER)
    sent = {lab.send(external_match_id=f"deleted-{number}") for number in range(3)}
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
        eventually("them to be there", lambda: amqp.depth(on, PROCESS_QUEUE) >= 3, within_s=20)
        on.queue_delete(PROCESS_QUEUE)
    (lab.folder / verdict.FILE).unlink(missing_ok=True)

    audit = run_on(lab, monkeypatch, tmp_path)

    assert verdict.read(lab.folder / verdict.FILE)["verdict"] == audit.verdict
    assert audit.verdict is not Verdict.VALID
    assert audit.counts.undecided >= len(sent)
    assert "queues could not be probed" in audit.finding(5).explanation
    assert checked(lab, TRUTH)[0] == Verdict.UNKNOWN
