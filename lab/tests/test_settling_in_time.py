"""When a run counts as settled: by a clock that the test moves, and with the true allowances."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from lab import wait
from lab.clients.amqp import WORK, BrokerSilent
from lab.experiment import settle as settling
from lab.experiment.settle import deadline_s, rest_s
from lab.faults.residue import Residue
from system.contract.topology import DEAD_LETTER_QUEUE, KEPT_QUEUES, PROCESS_QUEUE

CALM, ROUTE_WAS_AWAY = Residue(), Residue(dead_letter_route=True)
LOST_CONNECTIONS = Residue(reconnects=True)
AGE_S = 5.0
EVERY_S = settling._Quiet.EVERY_S
LATE_S = 1.2
"""A probe of the queues comes each half a second, a look each tenth: what ends is seen so late."""


_Event = tuple[float, Callable[["_World"], object]]


class _World:
    """A clock, a ledger, its history and a broker's management in one; time passes by sleeping.

    Attributes:
        unacked: how many messages are given out and not acknowledged.
        counts_from: until then the broker lists its queues as empty, whatever they hold.
        to_come: what happens at which second.
    """

    age_s = AGE_S

    def __init__(self, *waiting: str, to_come: Sequence[_Event] = ()) -> None:
        self.now = 0.0
        self.left = set(waiting)
        self.dead: set[str] = set()
        self.in_queues = dict.fromkeys((*WORK, *KEPT_QUEUES), 0)
        self.unacked = 0
        self.counts_from = 0.0
        self.shared = False
        self.trouble = ""
        self.record: dict[str, Any] = {}
        self.to_come = list(to_come)
        self.probes = 0
        self.history = self

    @property
    def waiting(self) -> set[str]:
        return set(self.left)

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now = round(self.now + seconds, 6)
        while self.to_come and self.to_come[0][0] <= self.now:
            self.to_come.pop(0)[1](self)

    def goes(self, trouble: str) -> None:
        self.trouble = trouble

    def look(self) -> None:
        if self.trouble:
            raise BrokerSilent(self.trouble)

    def look_at_dead_letters(self) -> None:
        self.left -= self.dead

    def depths(self) -> dict[str, int]:
        return self.in_queues

    def held(self, queues: Sequence[str]) -> int:
        self.probes += 1
        if self.now < self.counts_from:
            return 0
        return self.unacked + sum(self.in_queues[each] for each in queues)

    def write(self, event: str, **fields: Any) -> None:
        assert event == "settled"
        self.record = fields


def settle(world: _World, monkeypatch: pytest.MonkeyPatch, residue: Residue = CALM) -> float | None:
    """After how many seconds it settled; None: not within its deadline."""
    for module in settling, wait:
        monkeypatch.setattr(module, "time", world)
    both: Any = world
    settled = settling.settle(both, both, residue)
    assert world.record["ok"] == settled
    assert world.record["seconds"] == round(world.now, 3)
    assert world.record["waiting"] == len(world.waiting)
    if settled:
        assert world.record["detail"] == ""
    return world.now if settled else None


@pytest.mark.parametrize(
    ("waiting", "residue", "seconds"),
    [
        (0, CALM, 30),
        (500, CALM, 40),
        (0, Residue(retry_s=900), 930),
        (0, Residue(reconnects=True), 92),
        (0, ROUTE_WAS_AWAY, 210),
        (100, Residue(60, reconnects=True, dead_letter_route=True), 334),
    ],
)
def test_the_deadline_is_the_sum_of_all_that_may_take_time(
    waiting: int, residue: Residue, seconds: float
) -> None:
    assert deadline_s(waiting, residue) == seconds


def test_what_is_missing_is_gone_after_twice_the_age_of_the_counts_and_some_seconds() -> None:
    assert (rest_s(CALM, 5), rest_s(CALM, 2), rest_s(ROUTE_WAS_AWAY, 5)) == (15, 9, 195)


def test_all_that_has_ended_is_settled_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert settle(_World(), monkeypatch) == 0


def test_what_was_given_out_once_more_is_waited_for_where_a_connection_was_lost(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All has ended, no queue has one ready; yet a worker has one that could take effect again."""
    world = _World(to_come=[(7.2, lambda w: setattr(w, "unacked", 0))])
    world.unacked = 1
    after = settle(world, monkeypatch, LOST_CONNECTIONS)
    assert after is not None
    assert 7 + AGE_S <= after < 7.2 + AGE_S + LATE_S  # the last probe that saw it was at 7 s


def test_what_a_broker_has_not_counted_yet_is_no_empty_queue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It has just started, and messages wait there for a worker that is slow to come back."""

    def applied(world: _World) -> None:
        world.left.clear()
        world.in_queues[PROCESS_QUEUE] = 0

    world = _World("a", "b", to_come=[(25.0, applied)])
    world.in_queues[PROCESS_QUEUE] = 2
    world.counts_from = 60.0
    assert settle(world, monkeypatch) == 25.0


def test_counts_from_before_the_end_are_not_trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    after = settle(_World(), monkeypatch, LOST_CONNECTIONS)
    assert after is not None
    assert EVERY_S + AGE_S <= after < EVERY_S + AGE_S + LATE_S


def test_in_a_shared_lab_what_is_given_out_may_be_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = _World()
    world.shared, world.unacked = True, 7
    assert settle(world, monkeypatch, LOST_CONNECTIONS) == 0


def test_a_message_is_waited_for_until_it_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World("m1", "m2", to_come=[(3, lambda w: w.left.clear())])
    assert settle(world, monkeypatch) == pytest.approx(3, abs=0.1)


def test_a_message_that_is_among_the_dead_letters_has_ended(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = _World("m1", to_come=[(3, lambda w: w.dead.add("m1"))])
    assert settle(world, monkeypatch) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("queue", WORK)
def test_what_was_never_confirmed_may_be_in_a_queue_and_is_waited_for(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _World(to_come=[(4, lambda w: w.in_queues.update({queue: 0}))])
    world.in_queues[queue] = 1
    assert settle(world, monkeypatch) == pytest.approx(4, abs=0.1)


@pytest.mark.parametrize("queue", KEPT_QUEUES)
def test_what_is_kept_for_a_person_is_not_on_its_way(
    queue: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _World()
    world.in_queues[queue] = 7
    assert settle(world, monkeypatch) == 0


def test_what_is_in_the_queues_of_a_shared_lab_is_the_others(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = _World()
    world.shared, world.in_queues[PROCESS_QUEUE] = True, 7
    assert settle(world, monkeypatch) == 0


def test_nor_does_sharing_settle_what_is_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World("m1", to_come=[(3, lambda w: w.left.clear())])
    world.shared, world.in_queues[PROCESS_QUEUE] = True, 7
    assert settle(world, monkeypatch) == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("residue", [CALM, ROUTE_WAS_AWAY])
def test_what_is_in_no_queue_settles_after_the_rest_and_not_before(
    residue: Residue, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = _World("lost")
    world.in_queues[DEAD_LETTER_QUEUE] = 1
    after = settle(world, monkeypatch, residue)
    assert after is not None
    rest = rest_s(residue, AGE_S)
    assert EVERY_S + rest <= after < EVERY_S + rest + LATE_S  # from the first probe on
    assert world.probes <= after / EVERY_S  # the broker counts each time: not too often


_FULL, _EMPTY = {PROCESS_QUEUE: 1}, {PROCESS_QUEUE: 0}


@pytest.mark.parametrize(
    "to_come",
    [
        [(12.0, lambda w: w.left.discard("m1"))],
        [(12.0, lambda w: w.left.symmetric_difference_update(("m1", "m2")))],
        [(12.0, lambda w: w.in_queues.update(_FULL)), (13.5, lambda w: w.in_queues.update(_EMPTY))],
        [(12.0, lambda w: w.goes("away")), (12.3, lambda w: w.goes(""))],
    ],
    ids=["one ended", "one ended, one was accepted", "a queue held one", "nobody could look"],
)
def test_the_rest_begins_anew_when_something_stirred(
    to_come: list[_Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    after = settle(_World("lost", "m1", to_come=to_come), monkeypatch)
    assert after is not None
    assert 12 + rest_s(CALM, AGE_S) <= after < 30


def test_what_is_still_in_a_queue_at_the_deadline_has_not_settled(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    residue = Residue(retry_s=60)
    world = _World(*map(str, range(500)))
    world.in_queues[PROCESS_QUEUE] = 500
    assert settle(world, monkeypatch, residue) is None
    assert world.now == pytest.approx(deadline_s(500, residue), abs=0.11)
    assert world.record["detail"] == ""


def test_what_kept_it_from_being_seen_is_on_record(monkeypatch: pytest.MonkeyPatch) -> None:
    world = _World("m1")
    world.goes("the store is away")
    assert settle(world, monkeypatch) is None
    assert world.record["detail"] == "the store is away"


def test_the_first_probe_has_nothing_to_compare_with_and_has_seen_no_quiet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world: Any = _World("m1")
    monkeypatch.setattr(settling, "time", world)
    quiet = settling._Quiet(world, world)
    seen = []
    for _ in range(4):
        world.sleep(1)
        seen.append(quiet.seconds())
    assert seen == [0, 1, 2, 3]
