"""Phase 0: the environment.

Before anything is taught or broken: what does this machine have, what does the lab start on it, and
does it leave everything else alone? The commands are typed here as a person types them.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest
import redis

from lab.dev.terminal import Terminal
from lab.errors import NotWithin
from lab.experiment.plugin import Evidence
from lab.wait import eventually
from scenarios.support import machine, versions
from scenarios.support.cluster import Cluster
from scenarios.support.machine import HOST, State

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

SMALL = ("--workers", "1", "--concurrency", "1", "--matches", "40")
NAME = "phase0"
USUAL_PORTS = {
    4369: "epmd",
    5432: "PostgreSQL",
    5672: "RabbitMQ",
    6379: "Redis",
    9090: "Prometheus",
    9093: "Alertmanager",
    9121: "Redis's exporter",
    9187: "PostgreSQL's exporter",
    15672: "RabbitMQ",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A cluster that counts connections; the machine's kubectl points to it."""
    folder = tmp_path_factory.mktemp("cluster")
    with Cluster(folder, contexts=("rancher-desktop", "gke-production")) as made:
        yield made


@pytest.fixture(scope="module")
def terminal(tmp_path_factory: pytest.TempPathFactory, cluster: Cluster) -> Terminal:
    """A terminal in an empty folder."""
    return Terminal(tmp_path_factory.mktemp("phase0"), cluster.environment)


@pytest.fixture(scope="module")
def running(terminal: Terminal) -> Iterator[State]:
    """A lab that was started by `lab up`, for experiments that leave it as it is."""
    with up(terminal) as state:
        yield state


@contextmanager
def up(terminal: Terminal) -> Iterator[State]:
    """Type `lab up`, and `lab down` in the end."""
    output = terminal.lab("up", "--name", NAME, *SMALL)
    try:
        assert output.code == 0, output.out + output.complaints
        yield machine.state_of(terminal.folder / ".lab" / NAME)
    finally:
        terminal.lab("down", "--name", NAME)


def findings(out: str) -> dict[str, dict[str, Any]]:
    """What `lab doctor --json` found, by what was looked at."""
    return {each["what"]: each for each in json.loads(out)["findings"]}


def test_the_doctor_finds_everything_the_lab_needs(
    terminal: Terminal, running: State, evidence: Evidence
) -> None:
    """The machine has what the lab needs, and `lab doctor` names the versions that really run.

    The doctor looks without starting anything. So its word is compared with that of the services
    themselves, once they run: each is asked for its version over the network.
    """
    output = terminal.lab("doctor", "--json")
    found = findings(output.out)
    for what, finding in found.items():
        evidence(what, finding["found"])
    assert output.code == 0
    assert json.loads(output.out)["well"]

    answers = versions.ask_versions(running.endpoints)
    by_doctor = {what: found[what]["found"] for what in answers}
    evidence("what the services answer themselves", answers)
    assert answers == by_doctor


def test_the_doctor_says_what_is_missing(tmp_path: Path, evidence: Evidence) -> None:
    """Where something is missing, the doctor says so, says what brings it, and exits with 2.

    The same command, on a PATH on which no program is to be found but the package manager.
    """
    for name in ("apt-get", "brew"):
        there = shutil.which(name)
        if there:
            (tmp_path / name).symlink_to(there)
    output = Terminal(tmp_path, {"PATH": str(tmp_path)}).lab("doctor", "--json")
    finding = findings(output.out)["Redis"]
    evidence("exit code", output.code)
    evidence("Redis", finding["found"])
    evidence("what to do", finding["cure"])
    if finding["state"] == "good":
        pytest.skip("Redis is found without the PATH (Homebrew)")
    assert output.code == 2
    assert finding["state"] == "missing"
    assert re.search(r"install\b.*redis", finding["cure"], re.IGNORECASE)


def test_no_cluster_is_touched(
    terminal: Terminal, running: State, cluster: Cluster, evidence: Evidence
) -> None:
    """The lab reads which Kubernetes contexts there are, and never speaks to a cluster.

    A kubectl that notes every call stands in front of the real one, and two contexts lead to a
    cluster that counts connections. The lab was started, examined and looked at with both in
    place. Then comes a call as a careless tool might make it, to see that it would be counted. Some
    kubectls ask the cluster for its version before they even read their own file, so the lab names
    a server that does not exist. The lesson for people: look which context is the current one
    (`kubectl config current-context`) before any `kubectl apply`.
    """
    config = cluster.config.read_bytes()
    found = findings(terminal.lab("doctor", "--json").out)["Kubernetes contexts"]["found"]
    terminal.lab("status", "--name", NAME)
    calls, connections = cluster.commands, cluster.connections
    cluster.careless_call()
    careless = cluster.connections - connections
    evidence("contexts the doctor shows, the current one starred", found)
    evidence("calls of kubectl by lab up, doctor and status", sorted(set(calls)))
    evidence("connections to the cluster by them", connections)
    evidence("connections by `kubectl get pods`, for comparison", careless)
    assert "rancher-desktop" in found
    assert "gke-production*" in found
    assert {each.partition(" ")[2] for each in calls} == {"config view -o json"}
    assert connections == 0
    assert careless > 0
    assert cluster.config.read_bytes() == config


def test_all_that_runs_is_the_labs_own(
    terminal: Terminal, running: State, evidence: Evidence
) -> None:
    """Every service is a child of the lab, has its data in the lab's folders, and a free port.

    Nothing listens where the machine's own services would, and nothing can be reached from another
    machine.
    """
    folders = [terminal.folder / ".lab" / NAME, *running.folders]
    below = machine.tree(running.keeper)
    named = {name: psutil.Process(pid) for name, pid in running.processes.items()}
    homes = {name: Path(process.cwd()).resolve() for name, process in named.items()}
    listening = [
        address.laddr
        for each in below
        for address in each.net_connections("inet")
        if address.status == psutil.CONN_LISTEN
    ]
    ports = sorted({each.port for each in listening})
    evidence("services", sorted(named))
    evidence("processes, with their children", len(below))
    evidence("ports in use", [str(port) for port in ports])
    evidence("addresses that listen", sorted({each.ip for each in listening}))

    assert {process.pid for process in named.values()} <= {each.pid for each in below}
    strangers = {
        name: str(home)
        for name, home in homes.items()
        if not any(home.is_relative_to(folder.resolve()) for folder in folders)
    }
    assert strangers == {}
    assert len(ports) >= 7
    assert not set(ports) & USUAL_PORTS.keys()
    # Erlang's port mapper adds the loopback of IPv6 by itself.
    assert {each.ip for each in listening} <= {HOST, "::1"}


@pytest.mark.parametrize("how", ["asked to end", "its keeper killed"])
def test_nothing_is_left_and_nothing_else_is_touched(
    how: str, tmp_path: Path, evidence: Evidence
) -> None:
    """When a lab has ended, nothing of it is left, and what was there before is untouched.

    Either `lab down` ends it, or its keeper is killed with SIGKILL, the way a laptop dies; then
    `lab down` sweeps what is still lying about. A Redis that is not the lab's stands for the
    machine's own services. It counts its connections, so a single look at it would show.
    """
    terminal = Terminal(tmp_path / "here")
    terminal.folder.mkdir()
    with bystander(tmp_path) as (server, client):
        client.set("mine", "untouched")
        before = client.info("stats")["total_connections_received"]
        with up(terminal) as state:
            there = machine.tree(state.keeper)
            ports = state.ports
            folders = [terminal.folder / ".lab", *state.folders]
            evidence(
                "while it runs: processes, and ports that answer",
                [len(there), count_answering(ports)],
            )
            assert all(folder.exists() for folder in folders)
            assert count_answering(ports) >= 7
            begun = time.monotonic()
            if how == "its keeper killed":
                psutil.Process(state.keeper).kill()
                gone_by_themselves(there)
                evidence("seconds until all had ended by themselves", time.monotonic() - begun)
            assert terminal.lab("down", "--name", NAME).code == 0
        left = [each for each in there if machine.is_alive(each)]
        lying = [str(each) for each in folders if each.exists()]
        evidence(
            "afterwards: processes, and ports that answer", [len(left), count_answering(ports)]
        )
        evidence("afterwards: folders of it", lying)
        by_others = client.info("stats")["total_connections_received"] - before
        evidence("the other Redis: connections to it meanwhile", by_others)
        evidence("the other Redis: still runs, and holds", client.get("mine"))
        assert left == []
        assert count_answering(ports) == 0
        assert lying == []
        assert list(terminal.folder.iterdir()) == []
        assert by_others == 0
        assert server.poll() is None
        assert client.get("mine") == "untouched"


def gone_by_themselves(there: list[psutil.Process]) -> None:
    """Wait until every process has ended."""
    try:
        eventually(
            "every process of the lab to end after its keeper",
            lambda: not any(map(machine.is_alive, there)),
            within_s=60,
        )
    except NotWithin as error:
        left = [f"{each.pid} {each.name()}" for each in there if machine.is_alive(each)]
        raise NotWithin(f"{error}; left: {left}") from None


def count_answering(ports: list[int]) -> int:
    """On how many of these ports of this machine a process listens."""

    def answers(port: int) -> bool:
        with socket.socket() as probe:
            probe.settimeout(2)
            return probe.connect_ex((HOST, port)) == 0

    return sum(map(answers, ports))


@contextmanager
def bystander(folder: Path) -> Iterator[tuple[subprocess.Popen[bytes], redis.Redis]]:
    """A Redis that is not the lab's, and a client with one open connection to it."""
    address = str(folder / "redis")
    arguments = ["--port", "0", "--unixsocket", address, "--save", "", "--dir", str(folder)]
    server = subprocess.Popen(
        [machine.program("redis-server"), *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        env={"PATH": os.environ["PATH"]},
    )
    client = redis.Redis(
        unix_socket_path=address,
        socket_timeout=5,
        decode_responses=True,
        single_connection_client=True,
    )
    try:
        eventually(
            "the bystander to answer", client.ping, within_s=20, tolerate=(redis.ConnectionError,)
        )
        yield server, client
    finally:
        client.close()
        server.terminate()
        server.wait(20)
