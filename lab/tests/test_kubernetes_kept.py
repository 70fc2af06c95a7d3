"""A lab on a cluster that is kept up: others use it, what they break is mended, and it ends."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path

import pytest

from lab.dev.terminal import Terminal
from lab.substrates import registry
from lab.substrates.abilities import Killable, Pausable, Scalable
from lab.substrates.containers.images import SYSTEM, names
from lab.substrates.kubernetes.kubectl import kubectl
from lab.substrates.kubernetes.kubernetes import Kubernetes
from lab.substrates.kubernetes.provider import PLACE, KubernetesProvider
from lab.substrates.local.instance import Instance
from lab.substrates.on_cluster import Job, OnACluster, RunsJobs
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Substrate
from lab.wait import eventually

pytestmark = [pytest.mark.kubernetes, pytest.mark.services, pytest.mark.timeout(1500)]

LAB = "kept-tests"
UP_WITHIN_S, SOON_S, GONE_WITHIN_S = 600.0, 120.0, 300.0
PROGRAM = """
import os, sys, time, urllib.request
os.mkdir("left")
deadline, status = time.monotonic() + 30, 0
while not status and time.monotonic() < deadline:
    try:
        status = urllib.request.urlopen(os.environ["API"] + "/readyz", timeout=5).status
    except OSError:  # policies let a pod that has just begun pass a moment later
        time.sleep(0.2)
open("left/status", "w").write(str(status))
print("done")
sys.exit(3)
"""
ON = ("--substrate", Kubernetes.name, "--name", LAB)


@pytest.fixture(scope="module")
def typed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    """A folder in which a person has started a lab on the cluster."""
    folder = tmp_path_factory.mktemp("kept")
    typed = Terminal(folder)
    with chdir(folder):
        up = typed.lab("up", *ON, "--no-monitoring", "--matches", "40", within_s=UP_WITHIN_S)
        try:
            assert up.code == 0, up.out + up.complaints
            yield typed
        finally:
            typed.lab("down", *ON, within_s=GONE_WITHIN_S)


def attached() -> Substrate:
    place = KubernetesProvider().attach(LAB)
    place.up(Plan(seed=1, matches=2))
    return place


def states() -> dict[str, str]:
    return {line.name: line.state for line in registry.keeping("kubernetes").status(LAB).lines}


def test_it_is_listed_with_each_part_and_joined_with_its_abilities(typed: Terminal) -> None:
    shown = typed.lab("status", *ON)
    assert shown.code == 0, shown.out
    assert "broker-0" in shown.out
    place = attached()
    assert isinstance(place, OnACluster)
    where = place.where()
    assert "worker-0" in kubectl(
        *("get", "pods", "--namespace", where.namespace, "--output=name"),
        *("--selector", f"{where.label}=worker-0"),
    )
    assert any(log.name == "worker-0" and log.text() for log in place.logs())
    place.down()


def test_what_a_caller_leaves_broken_is_mended_when_it_leaves(typed: Terminal) -> None:
    place = attached()
    assert isinstance(place, Killable)
    assert isinstance(place, Pausable)
    assert isinstance(place, Scalable)
    place.kill(Role.API)
    place.pause(Role.WORKER)
    place.scale(Role.WORKER, 1)
    assert (states()["api-0"], states()["worker-0"]) == ("gone", "paused")
    assert "worker-1" not in states()
    place.down()

    def mended() -> bool:
        now = states()
        return set(now.values()) == {"up"} and "worker-1" in now

    eventually("all of it to be as before", mended, within_s=SOON_S)


def test_a_job_beside_it_gives_its_exit_code_and_what_it_left(
    typed: Terminal, tmp_path: Path
) -> None:
    place = attached()
    assert isinstance(place, RunsJobs)
    within = place.endpoints_within()
    assert within.api_url == "http://api-0:8000"
    said: list[str] = []
    program = ("python", "-c", PROGRAM)
    settings = {"API": within.api_url}
    job = Job("some-job", names()[SYSTEM], program, settings, take="left", within_s=SOON_S)
    code = place.run_job(job, tmp_path, said.append)
    assert isinstance(place, OnACluster)
    inside = ("--namespace", place.where().namespace)
    place.down()
    assert (code, (tmp_path / "status").read_text()) == (3, "200")
    assert "done" in said
    left = kubectl("get", "jobs,secrets,networkpolicies,pods", *inside, "--output=name")
    gone = [line for line in left.splitlines() if "some-job" in line and "pod/" not in line]
    assert gone == []


def test_nothing_is_left_of_one_whose_keeper_was_killed(typed: Terminal) -> None:
    """The last test: it ends the lab."""
    place = attached()
    assert isinstance(place, OnACluster)
    namespace = place.where().namespace
    place.down()
    state = Instance.named(LAB, PLACE).read()
    assert state is not None
    os.kill(state.keeper, signal.SIGKILL)

    def gone() -> bool:
        found = kubectl("get", "namespace", namespace, "--ignore-not-found", "--output=name")
        return not found.strip()

    eventually("its namespace to be gone", gone, within_s=GONE_WITHIN_S)
