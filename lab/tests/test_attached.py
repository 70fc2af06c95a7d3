"""A lab that somebody else holds can be used, and goes on."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CannotRun, SubstrateError
from lab.experiment.lab import Lab
from lab.substrates.local import Local, detached, processes
from lab.substrates.local.attached import Attached
from lab.substrates.local.instance import Instance
from lab.substrates.protocol import Role
from lab.wait import eventually

pytestmark = [pytest.mark.services, pytest.mark.timeout(120)]

WITHIN_S = 40.0


@pytest.fixture
def local(shared_lab: Lab) -> Local:
    assert isinstance(shared_lab.substrate, Local)
    return shared_lab.substrate


@pytest.fixture
def instance(local: Local) -> Instance:
    return local._instance


def test_it_is_found_where_it_answers(shared_lab: Lab, instance: Instance) -> None:
    assert Attached(instance).up(shared_lab.plan) == shared_lab.endpoints
    assert Attached(instance).logs(Role.WORKER)


def test_a_process_of_it_can_be_paused_and_go_on(instance: Instance) -> None:
    attached = Attached(instance)

    attached.pause(Role.WORKER)
    assert detached.status(instance).verdict == "degraded"
    attached.resume(Role.WORKER)

    eventually("it to go on", lambda: detached.status(instance).verdict == "up", within_s=WITHIN_S)


def test_a_workers_child_can_be_killed(local: Local, instance: Instance) -> None:
    (pid,) = (each.pid for each in local.processes() if each.name == "worker-0")
    before = set(processes.children(pid))

    Attached(instance).kill_child(Role.WORKER)

    eventually(
        "another child in its place",
        lambda: set(processes.children(pid)) - before,
        within_s=WITHIN_S,
    )


def test_leaving_it_does_not_end_it(instance: Instance) -> None:
    Attached(instance).down()

    assert detached.status(instance).verdict == "up"


def test_one_that_has_died_without_a_word_is_not_taken_for_alive(
    tmp_path: Path, shared_lab: Lab, instance: Instance
) -> None:
    state = instance.read()
    assert state is not None
    dead = Instance.named("dead", tmp_path)
    dead.folder.mkdir()
    dead.write(state)

    with pytest.raises(CannotRun, match="no lab named 'dead' is up"):
        Attached(dead).up(shared_lab.plan)


def test_what_is_not_there_cannot_be_used(
    tmp_path: Path, shared_lab: Lab, instance: Instance
) -> None:
    with pytest.raises(CannotRun, match="no lab named 'nobody' is up"):
        Attached(Instance.named("nobody", tmp_path)).up(shared_lab.plan)
    with pytest.raises(SubstrateError, match="worker-7"):
        Attached(instance).pause(Role.WORKER, 7)
