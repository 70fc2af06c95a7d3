"""kill -9 at each step of a message's way through the worker, and through the operator's tool.

Wherever it happens: after a restart nothing is lost, nothing has taken effect twice, and every
stored match is true. The steps are named in `system/tests/weakened/dying_worker.py` and
`dying_tool.py`. One lab goes through all of them, and each audit covers everything since its start.
"""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from lab.checker.check import Audit
from lab.checker.verdict import Verdict
from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.experiment.plugin import Labs, staged
from lab.substrates.abilities import Killable
from lab.substrates.plan import Role
from lab.wait import eventually
from system.contract import envelope as wire
from system.contract.topology import DEAD_LETTER_EXCHANGE, DEAD_LETTER_QUEUE, PROCESS_QUEUE

pytestmark = [
    pytest.mark.faults,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WEAKENED = "system.tests.weakened"
MATCHES = 6
EXHAUSTED = ("--reason", "exhausted")
"""Not the letters of other tests of this lab."""
_ordinals = itertools.count()


def _send_matches(lab: Lab) -> None:
    """Good matches; and then one of them once more, newer."""
    for number in range(MATCHES):
        lab.send(external_match_id=f"m-{number}")
    lab.send(external_match_id="m-0", home_score=2, away_score=1, match_status="completed")


def _send_while_the_api_is_away(lab: Lab) -> None:
    """So every attempt fails and goes to a retry step; the worker dies at the first."""
    assert isinstance(lab.substrate, Killable)
    lab.substrate.kill(Role.API)
    _send_matches(lab)


def _send_broken(lab: Lab) -> None:
    """Matches that break the contract, and messages that no task can take, among good ones."""
    lab.send_foreign(next(_ordinals))


Experiment = Callable[[Lab], None]
POINTS: dict[str, Experiment] = {
    "before-admit": _send_matches,
    "after-admit": _send_matches,
    "before-apply": _send_matches,
    "after-apply": _send_matches,
    "before-ack": _send_matches,
    "after-ack": _send_matches,
    "before-retry": _send_while_the_api_is_away,
    "after-retry": _send_while_the_api_is_away,
    "before-dead": _send_broken,
    "after-dead": _send_broken,
    "before-gate-dead": _send_broken,
    "after-gate-dead": _send_broken,
}


@pytest.fixture(scope="module")
def armed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file that tells the worker where to die."""
    return tmp_path_factory.mktemp("armed") / "point"


@pytest.fixture(scope="module")
def labs(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, armed: Path
) -> Iterator[Labs]:
    """One lab for all points; its worker lives while no point is named."""
    plan = {
        "wrapper": {Role.WORKER: f"{WEAKENED}.dying_worker"},
        "settings": {Role.WORKER: {"DIE_FILE": str(armed)}},
    }
    with closing(Labs(lambda: staged(request, tmp_path_factory, plan))) as those:
        yield those


@pytest.mark.parametrize("point", POINTS)
def test_a_worker_killed_at_any_point_loses_and_doubles_nothing(
    point: str, labs: Labs, armed: Path
) -> None:
    """The supervisor starts it again, and every message ends in its one place."""
    with labs.lent() as lab:
        assert isinstance(lab.substrate, Killable)
        armed.write_text(point)
        POINTS[point](lab)
        eventually(f"the worker to die {point}", lambda: not armed.exists(), within_s=60)
        lab.substrate.kill(Role.WORKER)  # nothing of it may go on while the next one starts
        lab.substrate.start(Role.API)
        lab.substrate.start(Role.WORKER)
        _assert_all_is_well(lab.audit())


def _assert_all_is_well(audit: Audit) -> None:
    """Every law and every check; how long it took is no matter here."""
    assert [each for each in audit.findings if each.verdict is not Verdict.VALID] == []
    assert [each for each in audit.checks if each.verdict is not Verdict.VALID] == []


@pytest.mark.parametrize("point", ["before-publish", "after-publish", "before-take", "after-take"])
def test_a_replay_killed_at_any_point_and_run_again_loses_and_doubles_nothing(
    point: str, labs: Labs, tmp_path: Path
) -> None:
    """At worst a message is there twice under one id, and its receipt makes that harmless."""
    with labs.lent() as lab:
        sent = _die_of_exhaustion(lab, MATCHES)
        words = ("replay", *EXHAUSTED)
        killed = _tool(lab, tmp_path, point, *words)
        assert killed.returncode < 0, killed.stdout + killed.stderr
        again = _tool(lab, tmp_path, point, *words)
        assert again.returncode == 0, again.stdout + again.stderr
        eventually(
            "every match to have its receipt",
            lambda: sent <= set(lab.ledger.effects),
            within_s=60,
        )
        _assert_all_is_well(lab.audit())


# These come last: what they discard is in no place that an audit knows.
@pytest.mark.parametrize("point", ["before-write", "after-write", "after-take"])
def test_a_discard_killed_at_any_point_and_run_again_leaves_each_letter_in_the_file(
    point: str, labs: Labs, tmp_path: Path
) -> None:
    """At worst a letter is written twice."""
    with labs.lent() as lab:
        dead = _die_of_exhaustion(lab, MATCHES)
        file = tmp_path / "discarded.jsonl"
        words = ("discard", *EXHAUSTED, "--to", str(file))
        assert _tool(lab, tmp_path, point, *words).returncode < 0
        assert _tool(lab, tmp_path, point, *words).returncode == 0
        written = [json.loads(line)["message_id"] for line in file.read_text().splitlines()]
        assert set(written) == dead
        assert len(written) <= len(dead) + 1
        left = amqp.dead_letters(lab.endpoints.broker_urls["operator"])
        assert not dead & {each.message_id for each in left}


def _die_of_exhaustion(lab: Lab, number: int) -> set[str]:
    """Good matches among the dead letters, as after a day without an API; return their ids.

    The worker is stopped meanwhile, so that the test takes them out of its queue.
    """
    assert isinstance(lab.substrate, Killable)
    lab.substrate.terminate(Role.WORKER)
    sent = {lab.send(external_match_id=f"m-{each}") for each in range(number)}
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as on:
        on.confirm_delivery()
        left = set(sent)
        while left:
            method, properties, body = on.basic_get(PROCESS_QUEUE)
            assert method is not None, f"not in the queue: {left}"
            assert properties is not None
            if properties.message_id not in left:
                continue  # given back by a worker that was killed; returns with the channel's end
            left.remove(properties.message_id)
            headers = wire.dead_headers(
                properties.headers or {},
                reason="exhausted",
                detail="after 100 attempts: ApiUnavailable",
                where="here",
                queue=PROCESS_QUEUE,
                at=datetime.now(UTC),
            )
            amqp.send(
                on,
                body,
                exchange=DEAD_LETTER_EXCHANGE,
                key=DEAD_LETTER_QUEUE,
                properties=_as_they_were(properties, headers),
            )
            on.basic_ack(method.delivery_tag)
    lab.substrate.start(Role.WORKER)
    return sent


def _as_they_were(properties: object, headers: Mapping[str, object]) -> dict[str, object]:
    kept = ("content_type", "content_encoding", "message_id", "correlation_id")
    return {**{name: getattr(properties, name) for name in kept}, "headers": dict(headers)}


def _tool(lab: Lab, folder: Path, point: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Run the operator's tool as a person would; it dies the first time."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("MISSING_TABLE_")}
    armed, died = folder / "point", folder / "died"
    if not died.exists():
        armed.write_text(point)
        died.touch()
    return subprocess.run(
        [
            sys.executable,
            "-m",
            f"{WEAKENED}.dying_tool",
            "system.worker.dead_letters",
            *words,
        ],
        env={
            **kept,
            "DIE_FILE": str(armed),
            "MISSING_TABLE_BROKER_URL": lab.endpoints.broker_urls["operator"],
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
