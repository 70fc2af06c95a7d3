"""The registry of faults: what is known, what it asks for, what it records and leaves behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from lab.cli.app import app
from lab.errors import CannotRun, LabError, SubstrateError
from lab.experiment import settle
from lab.faults import process, registry
from lab.faults.residue import Leaves, Residue
from lab.history.log import FILE, History, read
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Log, Substrate
from system.contract.topology import RETRY_DELAYS_S

ASKED_FOR = {
    "worker-killed",
    "worker-child-killed",
    "worker-parent-killed",
    "worker-terminated",
    "worker-paused",
    "worker-slowed",
    "workers-gone",
    "database-full",
    "matches-locked",
    "messages-doubled",
    "broker-leader-killed",
    "broker-terminated",
    "broker-disk-alarm",
    "broker-killed",
    "broker-partitioned",
    "broker-paused",
    "broker-memory-alarm",
    "connections-closed",
    "results-killed",
    "database-killed",
    "database-paused",
    "api-killed",
    "api-paused",
    "api-errs",
    "api-lies",
    "link-cut",
    "link-stalled",
    "link-slowed",
    "link-half-open",
    "queue-unbound",
    "dead-letter-route-away",
}


NOWHERE = Endpoints("", "", {}, "", "", "", "", "")


class Bare:
    """A substrate with no ability at all."""

    name = "bare"

    def up(self, plan: Plan) -> Endpoints:
        """Nothing is there."""
        raise NotImplementedError

    def down(self) -> None:
        """Nothing runs."""

    def logs(self, role: Role | None = None) -> list[Log]:
        """None."""
        return []


class Noting(Bare):
    """A substrate that writes down what is done to it. Killable."""

    def __init__(self) -> None:
        self.done: list[str] = []
        self.breaks = False
        self.refuses = 0
        """How often it does not start any more."""

    def kill(self, role: Role, index: int = 0) -> None:
        """Note it, and fail half way where it should."""
        self.done.append(f"kill {role}-{index}")
        if self.breaks:
            raise LabError("half way")

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Note it."""
        self.done.append(f"terminate {role}-{index}")

    def start(self, role: Role, index: int = 0) -> None:
        """Note it, and fail as often as it should."""
        self.done.append(f"start {role}-{index}")
        if self.refuses:
            self.refuses -= 1
            raise SubstrateError("something else answers in the place of its API")


@dataclass
class Struck:
    """A target without a system behind it."""

    substrate: Substrate
    history: History
    residue: Residue = field(default_factory=Residue)
    endpoints: Endpoints = NOWHERE


@contextmanager
def struck(folder: Path, substrate: Substrate) -> Iterator[Struck]:
    with History(folder / FILE) as history:
        yield Struck(substrate, history)


def recorded(folder: Path) -> list[tuple[Any, ...]]:
    return [
        (each.fields["name"], each.fields["phase"], each.fields["detail"])
        for each in read(folder / FILE)
    ]


def test_every_fault_of_the_lab_is_found_and_says_what_it_does() -> None:
    faults = registry.known()

    assert set(faults) >= ASKED_FOR
    assert all(each.summary.endswith(".") for each in faults.values())
    assert list(faults) == sorted(faults)


def test_a_fault_skips_with_a_reason_where_the_substrate_lacks_an_ability() -> None:
    why = registry.find("link-cut").lacking(Bare())

    assert why == (
        "the fault 'link-cut' needs a substrate that can break links (`--breakable`), "
        "and 'bare' cannot"
    )
    assert registry.find("worker-killed").lacking(Noting()) is None
    assert registry.find("queue-unbound").lacking(Bare()) is None


def test_it_breaks_for_the_block_and_is_on_record(tmp_path: Path) -> None:
    substrate = Noting()
    with struck(tmp_path, substrate) as target, registry.applied("worker-killed", target, index=1):
        assert substrate.done == ["kill worker-1"]
        assert recorded(tmp_path) == [("worker-killed", "begin", "index=1")]
    assert substrate.done == ["kill worker-1", "start worker-1"]
    assert recorded(tmp_path)[1:] == [("worker-killed", "end", "index=1")]


def test_what_does_not_start_at_once_is_started_again_as_by_a_supervisor(tmp_path: Path) -> None:
    substrate = Noting()
    with struck(tmp_path, substrate) as target, registry.applied("worker-killed", target):
        substrate.refuses = 2
    assert substrate.done == ["kill worker-0", *["start worker-0"] * 3]


def test_what_never_starts_again_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "AGAIN_WITHIN_S", 0.1)
    substrate = Noting()
    with (
        struck(tmp_path, substrate) as target,
        pytest.raises(SubstrateError, match="worker-0 to start again"),
        registry.applied("worker-killed", target),
    ):
        substrate.refuses = 10**6


def test_it_is_cured_where_the_block_fails(tmp_path: Path) -> None:
    substrate = Noting()
    with (
        struck(tmp_path, substrate) as target,
        pytest.raises(ZeroDivisionError),
        registry.applied("worker-killed", target),
    ):
        _ = 1 / 0
    assert substrate.done[-1] == "start worker-0"
    assert [phase for _, phase, _ in recorded(tmp_path)] == ["begin", "end"]


def test_it_is_cured_where_it_was_only_half_applied(tmp_path: Path) -> None:
    substrate = Noting()
    substrate.breaks = True
    with (
        struck(tmp_path, substrate) as target,
        pytest.raises(LabError, match="half way"),
        registry.applied("api-killed", target),
    ):
        pass
    assert substrate.done == ["kill api-0", "start api-0"]


@pytest.mark.parametrize(
    ("name", "parameters", "words"),
    [
        ("earthquake", {}, "there is no fault 'earthquake'; there are: api-errs, api-killed,"),
        ("worker-killed", {"speed": 3}, "has no parameter speed; it has: index"),
        ("worker-killed", {"index": "one"}, "takes index as a whole number from 0; not 'one'"),
        ("worker-killed", {"index": True}, "takes index as a whole number"),
        ("link-cut", {}, "needs a substrate that can break links"),
    ],
)
def test_what_cannot_be_done_is_said_before_anything_is_broken(
    name: str, parameters: dict[str, Any], words: str, tmp_path: Path
) -> None:
    substrate = Noting()
    with (
        struck(tmp_path, substrate) as target,
        pytest.raises(CannotRun, match=words),
        registry.applied(name, target, **parameters),
    ):
        pass
    assert substrate.done == []
    assert recorded(tmp_path) == []


def test_what_it_leaves_behind_decides_how_long_settling_may_take(tmp_path: Path) -> None:
    with struck(tmp_path, Noting()) as target:
        with registry.applied("broker-killed", target):
            pass
        assert target.residue == Residue(retry_s=RETRY_DELAYS_S[0], reconnects=True)
        with registry.applied("results-killed", target):
            pass
        assert target.residue == Residue(retry_s=RETRY_DELAYS_S[0], reconnects=True)


def test_residue_adds_up_and_a_short_fault_does_not_make_a_long_one_forgotten() -> None:
    long = Residue().after(Leaves.RETRIES, 20)
    both = long.after(Leaves.RETRIES | Leaves.DEAD_LETTER_ROUTE, 0.5)

    assert long == Residue(retry_s=15)
    assert both == Residue(retry_s=15, dead_letter_route=True)
    assert both.after(Leaves.NOTHING, 1000) == both
    assert settle.deadline_s(0, both) >= settle.deadline_s(0, long) + 180


def test_the_command_lists_every_fault() -> None:
    shown = CliRunner().invoke(app, ["fault", "list"])
    listed = json.loads(CliRunner().invoke(app, ["fault", "list", "--json"]).stdout)

    assert shown.exit_code == 0
    assert all(name in shown.stdout for name in ASKED_FOR)
    assert {each["name"] for each in listed} == set(registry.known())
    (cut,) = (each for each in listed if each["name"] == "link-cut")
    assert cut["parameters"] == {"link": "worker-broker"}
    assert cut["needs"] == ["Partitionable"]
    assert "Can be chosen: link=worker-broker" in shown.stdout
    classes = [each.__name__ for fault in registry.known().values() for each in fault.needs]
    assert [name for name in classes if name in shown.stdout] == []
