"""Phase 3: backend integration, second half: what happens while a part is down or hangs."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, OpenLab, needs
from lab.paths import PROJECT
from lab.substrates.abilities import Killable, SharesFiles
from lab.substrates.plan import Link, Role
from lab.wait import eventually
from scenarios.support import drivers
from scenarios.support.drivers import PLAIN, AttemptLine
from system.contract.envelope import new_message_id
from system.contract.topology import PROCESS_QUEUE, RETRY_DELAYS_S, retry_queue

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(600)]

SOFT_S, HARD_S = "MISSING_TABLE_SOFT_TIME_LIMIT_S", "MISSING_TABLE_HARD_TIME_LIMIT_S"
PLAN: dict[str, Any] = {
    "workers": 1,
    "concurrency": 2,
    "relayed": frozenset({Link.WORKER_API}),
    "settings": {Role.WORKER: {SOFT_S: "3", HARD_S: "60"}},
}
GUIDE = PROJECT / "docs/phases/3.md"
TOLERANCE_S = 10.0
"""What a busy machine may add to the pause of a retry step."""


def test_retries_follow_the_policy(lab: Lab, evidence: Evidence) -> None:
    """While the API is down, a message waits 1 s, then 5 s, each shortened by up to a quarter.

    The way to the API is cut, so each attempt is refused at once. When eight messages have failed
    twice, the way is mended. Between two attempts a message is in the broker, not in the worker.
    The receipt shows which attempt took effect.
    """
    ids = [new_message_id() for _ in range(8)]
    with lab.fault("link-cut", link=Link.WORKER_API):
        drivers.send_by_queue(lab, [_match(id_, f"retry-{n}") for n, id_ in enumerate(ids)])
        drivers.wait_for_log_lines(lab, ids, 2 * len(ids), "failed")
        eventually(
            "all of them to wait in the broker for their next attempt",
            lambda: (
                sum(lab.ledger.depths()[retry_queue(each)] for each in RETRY_DELAYS_S) == len(ids)
            ),
            within_s=60,
        )
    drivers.wait_for_receipts(lab, ids)
    drivers.wait_for_log_lines(lab, ids, len(ids))  # a line may come a moment after its effect
    lines = {
        id_: drivers.log_lines(lab, [id_], "failed") + drivers.log_lines(lab, [id_]) for id_ in ids
    }
    evidence(
        "why each attempt failed",
        sorted({_kind(each) for each in drivers.log_lines(lab, ids, "failed")}),
    )
    evidence("before the way is mended: messages that wait in the broker", len(ids))
    for attempt, step_s in enumerate(RETRY_DELAYS_S[:2], 1):
        pauses = [_pause_s(each[attempt - 1], each[attempt]) for each in lines.values()]
        drawn = [_drawn_s(each[attempt - 1]) for each in lines.values()]
        evidence(f"after attempt {attempt}: seconds allowed", [0.75 * step_s, step_s])
        evidence(f"after attempt {attempt}: seconds drawn", [min(drawn), max(drawn)])
        evidence(f"after attempt {attempt}: seconds seen", [min(pauses), max(pauses)])
        assert all(0.75 * step_s <= each <= step_s for each in drawn)
        assert len(set(drawn)) > 1
        assert all(0.75 * step_s <= each <= step_s + TOLERANCE_S for each in pauses)
    attempts = [each["attempt"] for each in drivers.receipts(lab, ids)]
    evidence("attempt that took effect, in the receipts", attempts)
    # The third, unless this machine took longer to see them wait than they wait.
    assert min(attempts) >= 3
    assert sorted(attempts) == sorted(len(each) for each in lines.values())


@pytest.mark.parametrize("hangs", ["api", "database"])
def test_a_hanging_task_is_told_to_stop_and_takes_effect_later_once(
    hangs: str, lab: Lab, evidence: Evidence
) -> None:
    """A task that hangs is asked to stop at the soft limit; its message takes effect later, once.

    The API is paused, or the database behind it: either takes the request and does not answer. The
    soft limit is 3 s here, 30 s usually. A task that was asked to stop may have done its work all
    the same: what is behind the API finishes when it goes on. Then the later attempt is a
    duplicate, and the receipt makes one effect of two.
    """
    (message_id,) = ids = [new_message_id()]
    with lab.fault(f"{hangs}-paused"):
        drivers.send_by_queue(lab, [_match(message_id, f"soft-{hangs}")])
        (failed, *_) = drivers.wait_for_log_lines(lab, ids, 1, "failed")
    (applied, *_) = drivers.wait_for_log_lines(lab, ids, 1)
    (receipt,) = drivers.receipts(lab, ids)
    evidence("first attempt failed with", _kind(failed))
    evidence("what was decided", failed.decision)
    evidence("a later attempt got", {"attempt": applied.attempt, "effect": applied.effect})
    evidence("the one receipt", {name: receipt[name] for name in ("effect", "attempt")})
    assert _kind(failed) == "SoftTimeLimitExceeded"
    assert failed.decision.startswith("RetryIn(step_s=1,")
    assert applied.attempt > 1
    assert receipt["effect"] == "created"


def test_a_task_that_cannot_be_told_is_killed_and_its_message_comes_again(
    open_lab: OpenLab, evidence: Evidence
) -> None:
    """A task that does not stop is killed at the hard limit; its message takes effect later, once.

    Here a worker is deaf to the soft limit (1 s), as a task is while it is stuck in some library.
    At the hard limit (2 s; 40 s usually) the child of the pool is killed; the worker goes on with a
    new one and gives the message back to the queue. No attempt is counted: no process was left to
    count.
    """
    lab = open_lab(
        concurrency=1,
        settings={Role.WORKER: {SOFT_S: "1", HARD_S: "2"}},
        wrapper={Role.WORKER: "system.tests.weakened.deaf_worker"},
    )
    (message_id,) = ids = [new_message_id()]
    with lab.fault("api-paused"):
        drivers.send_by_queue(lab, [_match(message_id, "hard")])
        killed = eventually(
            "a child to be killed",
            lambda: _events(lab, "Hard time limit"),
            within_s=drivers.WITHIN_S,
        )
    (applied, *_) = drivers.wait_for_log_lines(lab, ids, 1)
    eventually(
        "the queue to be empty",
        lambda: lab.ledger.depths()[PROCESS_QUEUE] == 0,
        within_s=drivers.WITHIN_S,
    )
    (receipt,) = drivers.receipts(lab, ids)
    evidence("the worker wrote", killed[0])
    evidence("the next delivery got", {"attempt": applied.attempt, "effect": applied.effect})
    evidence("the one receipt", {name: receipt[name] for name in ("effect", "attempt")})
    evidence("attempts that failed and were counted", len(drivers.log_lines(lab, ids, "failed")))
    assert message_id in killed[0]
    assert receipt["effect"] == "created"
    assert applied.attempt == receipt["attempt"] == 1
    assert drivers.log_lines(lab, ids, "failed") == []


@needs(SharesFiles)  # by a file the worker is told how broken it is
def test_a_bad_version_of_the_worker_costs_time_and_no_message(
    open_lab: OpenLab, tmp_path: Path, evidence: Evidence
) -> None:
    """A worker that fails at every match leaves them in the queue, and tries one now and then.

    Its code is broken: each match meets an error that nobody foresaw, and none is at fault. After
    five different ones in a row (ten usually) it takes no more, pauses for a second, tries one, and
    pauses for two. Then it is repaired: the next try takes effect, and so does everything else.
    """
    broken = tmp_path / "share"
    broken.write_text("1 bug")
    brake = {"MESSAGES": "5", "PAUSE_S": "1", "PAUSE_MAX_S": "4"}
    lab = open_lab(
        workers=1,
        settings={
            Role.WORKER: {
                "WEAKENED": str(broken),
                **{f"MISSING_TABLE_BRAKE_{name}": value for name, value in brake.items()},
            }
        },
        wrapper={Role.WORKER: "system.tests.weakened.refusing"},
    )
    ids = [new_message_id() for _ in range(200)]
    drivers.send_by_queue(lab, [_match(id_, f"bad-{n}") for n, id_ in enumerate(ids)])
    pauses = eventually(
        "a second pause",
        lambda: found if len(found := _entries(lab, "paused")) >= 2 else [],
        within_s=drivers.WITHIN_S,
    )
    untouched = len(ids) - len({each.message_id for each in drivers.log_lines(lab, ids, "failed")})
    evidence("pauses, in seconds", [each["seconds"] for each in pauses])
    evidence("of 200 matches, left in their queue", untouched)
    assert untouched > 100
    broken.unlink()
    drivers.wait_for_receipts(lab, ids)
    (released,) = _entries(lab, "released")
    evidence("released after so many pauses", released["pauses"])
    evidence("matches that took effect", len(drivers.receipts(lab, ids)))
    dead = amqp.dead_letters(lab.endpoints.broker_urls["operator"])
    evidence("dead letters", len(dead))
    assert dead == []


def test_both_sinks_leave_the_same_database(
    lab: Lab, open_lab: OpenLab, evidence: Evidence
) -> None:
    """Workers that write to the database themselves leave the same in it as those that use the API.

    The same messages go to two systems: new matches, results, pages seen again, late arrivals,
    a resend, a broken match. In the second system the API is killed, to see that it is not needed.
    Everything is compared but the clocks of the two and the numbers their rows happen to have.
    """
    direct = open_lab(
        concurrency=2, settings={Role.WORKER: {"MISSING_TABLE_SINK": "database", SOFT_S: "20"}}
    )
    assert isinstance(direct.substrate, Killable)
    direct.substrate.kill(Role.API)
    through_api, past_api = (_season_in(each) for each in (lab, direct))
    for what in through_api:
        evidence(f"{what}: by the API, past it", [len(through_api[what]), len(past_api[what])])
    evidence("receipts, by effect", _counted(each["effect"] for each in past_api["receipts"]))
    evidence("dead letter", past_api["dead letters"])
    for what, rows in through_api.items():
        assert past_api[what] == rows, what
    assert _counted(each["effect"] for each in past_api["receipts"]) == {
        "created": 12,
        "updated": 12,
        "unchanged": 12,
        "stale": 12,
    }


@needs(SharesFiles)  # the programs look below `.lab`
def test_a_task_can_be_run_from_a_shell(lab: Lab, tmp_path: Path, evidence: Evidence) -> None:
    """The two programs of this phase's page run as they are printed there, and do what it says.

    `ask.py` uses Celery's client, `send.py` pika and the contract. Both find the addresses where
    `lab up` writes them down; here that place leads to this lab.
    """
    assert isinstance(lab.substrate, SharesFiles)
    (tmp_path / ".lab").mkdir()
    (tmp_path / ".lab/default").symlink_to(lab.substrate.place(".").parent)
    output = {name: _run(code, tmp_path) for name, code in _programs(GUIDE).items()}
    for name, answer in output.items():
        evidence(f"{name} says", answer)
    validation = json.loads(output[".lab/ask.py"])
    message_id = output[".lab/send.py"].split()[-1]
    drivers.wait_for_receipts(lab, [message_id])
    (receipt,) = drivers.receipts(lab, [message_id])
    evidence("receipt of what send.py sent", {n: receipt[n] for n in ("identity", "effect", "way")})
    assert validation["valid"] is False
    assert [each["field"] for each in validation["violations"]] == ["home_score"]
    assert (receipt["identity"], receipt["effect"], receipt["way"]) == (
        "by-hand",
        "created",
        "queue",
    )


def _match(message_id: str, identity: str, **fields: Any) -> drivers.Message:
    return message_id, PLAIN | {"external_match_id": identity} | fields


def _kind(line: AttemptLine) -> str:
    """The class of an error."""
    return line.error.partition(":")[0]


def _pause_s(before: AttemptLine, after: AttemptLine) -> float:
    return (after.at - before.at).total_seconds()


def _drawn_s(line: AttemptLine) -> float:
    """The pause that was decided on, in seconds."""
    drawn = re.search(r"wait_ms=(\d+)", line.decision)
    assert drawn, line.decision
    return int(drawn[1]) / 1000


def _events(lab: Lab, beginning: str) -> list[str]:
    """What workers wrote that begins like this."""
    texts = [text for log in lab.substrate.logs(Role.WORKER) for text in log.text().splitlines()]
    entries = [json.loads(text) for text in texts if beginning in text and text.endswith("}")]
    return [each["event"] for each in entries if each["event"].startswith(beginning)]


def _entries(lab: Lab, event: str) -> list[dict[str, Any]]:
    """What workers logged under this event, oldest first."""
    texts = [text for log in lab.substrate.logs(Role.WORKER) for text in log.text().splitlines()]
    entries = [json.loads(text) for text in texts if text[:1] == "{" and text.endswith("}")]
    return [each for each in entries if each["event"] == event]


def _counted(words: Any) -> dict[str, int]:
    counted: dict[str, int] = {}
    for word in words:
        counted[word] = counted.get(word, 0) + 1
    return counted


def _season_in(lab: Lab) -> dict[str, list[Any]]:
    """Send the same small season wave by wave, and return what the database then holds."""
    result = {"home_score": 4, "away_score": 1}
    planned = {"match_status": "scheduled", "home_score": None, "away_score": None}
    waves: dict[str, tuple[str, dict[str, Any]]] = {
        "created": ("2025-10-17T16:00:00Z", planned),
        "updated": ("2025-10-18T20:00:00Z", result),
        "unchanged": ("2025-10-19T20:00:00Z", result),
        "stale": ("2025-10-16T16:00:00Z", planned),
    }
    sent: list[str] = []
    for name, (at, says) in waves.items():
        messages = [
            _match(f"sink-{n}-{name}", f"sink-{n}", observed_at=at, **says) for n in range(12)
        ]
        drivers.send_by_queue(lab, messages)
        drivers.wait_for_receipts(lab, [message_id for message_id, _ in messages])
        sent += [message_id for message_id, _ in messages]
    broken = _match("sink-broken", "sink-broken", away_team=PLAIN["home_team"])
    drivers.send_by_queue(lab, [*messages, broken])
    dead = drivers.dead_letters(lab, ["sink-broken"])
    drivers.wait_for_log_lines(lab, sent, len(sent) + len(messages))
    clocks = {"created_at", "updated_at", "received_at", "committed_at", "published_at"}
    numbers = {"id", "match_id", "home_team_id", "away_team_id", "seq", "xid"}
    found = {"matches": drivers.matches(lab, "sink-%"), "receipts": drivers.receipts(lab, sent)}
    kept: dict[str, list[Any]] = {
        what: sorted(
            (
                {k: v for k, v in row.items() if k not in clocks | numbers | {"attempt"}}
                for row in rows
            ),
            key=lambda row: (row["identity"], row["message_id"]),
        )
        for what, rows in found.items()
    }
    return kept | {"dead letters": [(each.reason, each.detail) for each in dead.values()]}


def _programs(page: Path) -> dict[str, str]:
    """The Python programs that a page prints, by the name in their first line."""
    blocks = re.findall(r"```python\n# (\S+\.py).*?\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
    return dict(blocks)


def _run(code: str, folder: Path) -> str:
    """Run a program in `folder`, as a person would, and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={"PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
