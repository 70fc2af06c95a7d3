"""kill -9 in the middle of a batch: of the pool child, its parent, the API, or the broker.

The points are named in `system/tests/weakened/dying_worker.py` and `dying_backend.py`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.sabotage.scene import FOLDER, Scene, Setup, scene
from lab.sabotage.scenes.doing import SOON_S, killable, pausable, waiting
from lab.substrates.abilities import Controllable
from lab.substrates.plan import Role
from lab.wait import eventually

_WEAKENED = "system.tests.weakened"
_ARMED = "DIE_FILE"
_MATCHES = 40

DYING = Setup(
    "with roles that die where they are told to",
    {
        "wrapper": {
            Role.WORKER: f"{_WEAKENED}.dying_worker",
            Role.API: f"{_WEAKENED}.dying_backend",
        },
        "settings": {role: {_ARMED: f"{FOLDER}/{role}"} for role in (Role.WORKER, Role.API)},
    },
)


def _scene(name: str, dies: Role = Role.WORKER, armed: Role = Role.WORKER) -> Scene:
    """Something dies in the middle of the first batch of a backlog.

    Args:
        name: of the point.
        dies: who does. The broker does while a pool child is held at the point.
        armed: whose point it is.
    """

    def act(lab: Lab) -> None:
        named = Path(lab.plan.settings[armed][_ARMED])
        named.write_text(name)
        _hold_a_backlog(lab)
        eventually(f"something to come to {name!r}", lambda: not named.exists(), within_s=SOON_S)
        if not name.startswith("child"):
            killable(lab).kill(dies)  # nothing of it may go on while the next one starts
            killable(lab).start(dies)
        named.with_suffix(".held").unlink(missing_ok=True)
        # What comes again may already have its receipt: then the lab alone does not wait for it.
        eventually(
            "all deliveries to be settled",
            lambda: _nothing_is_held(lab),
            within_s=150,
            every_s=0.5,
            tolerate=amqp.TROUBLE,
        )

    who = "the broker" if dies is Role.BROKER else "the API" if dies is Role.API else "the worker"
    point = name.replace("-", " ").removeprefix("hold ")
    if name.startswith("child"):
        who, point = "a pool child", point.removeprefix("child ")
    act.__name__ = f"{who} dies {point}"
    return scene(DYING)(act)


CHILD_BEFORE_BATCH = _scene("child before-batch")
CHILD_BEFORE_APPLY = _scene("child before-batch-apply")
CHILD_AFTER_APPLY = _scene("child after-batch-apply")
CHILD_AFTER_BATCH = _scene("child after-batch")
BEFORE_BATCH = _scene("before-batch")
AFTER_BATCH = _scene("after-batch")
BEFORE_REPORT = _scene("before-report")
BEFORE_ACK = _scene("before-batch-ack")
BEFORE_STORE = _scene("before-store", Role.API, Role.API)
AFTER_STORE = _scene("after-store", Role.API, Role.API)
BEFORE_RECEIPTS = _scene("before-receipts", Role.API, Role.API)
BROKER_AFTER_APPLY = _scene("hold after-batch-apply", Role.BROKER)


def _nothing_is_held(lab: Lab) -> bool:
    """Whether no match waits or is in a worker's hands, as it is now.

    The broker's list of queues will not do: it is as old as the last tick of a quorum queue, and
    says 0 after a restart. Between two looks at what waits, none can pass by what is in hand.
    """
    return _all_waiting(lab) == 0 and _in_hand(lab) == 0 and _all_waiting(lab) == 0


def _all_waiting(lab: Lab) -> int:
    retried = lab.ledger.depths()
    return waiting(lab) + sum(depth for queue, depth in retried.items() if ".retry." in queue)


def _in_hand(lab: Lab) -> int:
    assert isinstance(lab.substrate, Controllable)
    found = json.loads(
        lab.substrate.control_broker(
            "list_channels", "user", "messages_unacknowledged", "--formatter", "json"
        )
    )
    return sum(
        each["messages_unacknowledged"] for each in found if each["user"] == Role.WORKER.value
    )


def _hold_a_backlog(lab: Lab) -> None:
    """The worker finds all of them at once; some are about the same match.

    Not the first ones: a first batch may be of a single message, and that one has to be the newest
    of its match, or its coming again looks like an older one that came late.
    """
    result: dict[str, Any] = {"home_score": 2, "away_score": 1, "match_status": "completed"}
    pausable(lab).pause(Role.WORKER)
    for number in range(_MATCHES):
        lab.send(external_match_id=f"batch-{number}")
        if number % 10 == 9:
            lab.send(external_match_id=f"batch-{number}", **result)
    pausable(lab).resume(Role.WORKER)
