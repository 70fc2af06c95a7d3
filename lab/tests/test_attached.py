"""A lab that another process keeps can be used with every ability, and goes on unbroken."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from lab.checker import check
from lab.checker.check import Audit
from lab.checker.measures import LATENCY_MEAN
from lab.errors import CannotRun, LabError, SubstrateError
from lab.experiment.lab import Lab
from lab.experiment.plugin import staged
from lab.experiment.session import session
from lab.faults import registry
from lab.history import log
from lab.paths import PROJECT
from lab.substrates.abilities import (
    ChildKillable,
    Controllable,
    Killable,
    Partitionable,
    Pausable,
    RunsPrograms,
    Scalable,
    Shared,
    Watchable,
)
from lab.substrates.local import Local, control, detached
from lab.substrates.local.attached import Attached
from lab.substrates.local.instance import Instance
from lab.substrates.local.processes import Command, Handle, Spawner
from lab.substrates.plan import Link, Plan, Role
from lab.wait import eventually

pytestmark = [pytest.mark.laboratory, pytest.mark.services, pytest.mark.timeout(600)]

WITHIN_S = 40.0
ABILITIES = (
    ChildKillable,
    Controllable,
    Killable,
    Partitionable,
    Pausable,
    RunsPrograms,
    Scalable,
    Shared,
    Watchable,
)
CALLER = """
import sys, time
from pathlib import Path
from lab.substrates.local.attached import Attached
from lab.substrates.local.instance import Instance
from lab.substrates.plan import Plan, Role

attached = Attached(Instance.named(sys.argv[1], Path(sys.argv[2])))
attached.up(Plan(seed=1, matches=40))
if sys.argv[3] == "kill":
    attached.kill(Role.API)
    print("broken", flush=True)
    time.sleep(600)
with attached.struck("broker-memory-alarm", {}):
    print("broken", flush=True)
    time.sleep(600)
"""


@pytest.fixture(scope="module")
def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A lab that this process keeps as `lab up --breakable` does."""
    with staged(request, tmp_path_factory, {"relayed": frozenset(Link)}) as lab:
        local = lab.substrate
        assert isinstance(local, Local)
        strike = registry.striker(local, lab.endpoints)
        with control.served(local._instance.folder, local, strike):
            yield lab


@pytest.fixture
def instance(kept: Lab) -> Instance:
    assert isinstance(kept.substrate, Local)
    return kept.substrate._instance


@pytest.fixture
def attached(kept: Lab, instance: Instance) -> Iterator[Attached]:
    """The lab, as another process would use it."""
    made = Attached(instance)
    made.up(Plan(seed=1, matches=40))
    yield made
    made.down()


def is_ready(lab: Lab) -> bool:
    """Whether the API answers."""
    try:
        url = f"{lab.endpoints.api_url}/readyz"
        return urllib3.request("GET", url, timeout=2, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def test_it_has_every_ability_and_the_plan_of_the_lab_that_runs(
    kept: Lab, attached: Attached
) -> None:
    missing = [ability.__name__ for ability in ABILITIES if not isinstance(attached, ability)]
    assert missing == []
    assert attached.endpoints == kept.endpoints
    assert attached.kept_plan() == kept.plan
    assert attached.logs(Role.WORKER)


def test_nobody_else_can_reach_its_socket(instance: Instance, attached: Attached) -> None:
    assert stat.S_IMODE((instance.folder / control.SOCKET).stat().st_mode) == 0o600
    assert stat.S_IMODE(instance.folder.stat().st_mode) == 0o700


def test_processes_and_links_can_be_broken_and_mended(
    kept: Lab, instance: Instance, attached: Attached
) -> None:
    attached.pause(Role.WORKER)
    assert detached.status(instance).verdict == "degraded"
    attached.resume(Role.WORKER)
    attached.kill(Role.API)
    assert not is_ready(kept)
    attached.start(Role.API)
    attached.kill_child(Role.WORKER)
    attached.cut(Link.SCRAPER_BROKER)
    attached.heal(Link.SCRAPER_BROKER)
    assert "matches.process" in attached.control_broker("list_queues", "name")
    assert is_ready(kept)


@pytest.mark.parametrize("verb", ["kill", "pause", "cut", "scale"])
def test_what_a_caller_leaves_broken_is_mended_when_it_leaves(
    kept: Lab, instance: Instance, verb: str
) -> None:
    attached = Attached(instance)
    attached.up(Plan(seed=1, matches=40))
    if verb == "cut":
        attached.cut(Link.WORKER_API)
    elif verb == "scale":
        attached.scale(Role.WORKER, 2)
    else:
        getattr(attached, verb)(Role.API)
    attached.down()
    eventually("the API to answer", lambda: is_ready(kept), within_s=WITHIN_S)
    eventually(
        "all of it to be as before",
        lambda: (
            detached.status(instance).verdict == "up"
            and [line.name for line in detached.status(instance).lines if "worker" in line.name]
            == ["worker-0"]
        ),
        within_s=WITHIN_S,
    )


def test_what_was_scaled_for_good_stays_when_the_caller_leaves(
    kept: Lab, instance: Instance
) -> None:
    def workers() -> int:
        state = instance.read()
        assert state is not None
        return sum(each.name.startswith("worker-") for each in state.processes)

    before = workers()
    for count in (before + 1, before):
        caller = Attached(instance)
        caller.up(Plan(seed=1, matches=40))
        caller.pause(Role.WORKER)  # is mended after whatever came later
        caller.scale_for_good(Role.WORKER, count)
        caller.down()
        eventually(
            "the pause to be mended",
            lambda: detached.status(instance).verdict == "up",
            within_s=WITHIN_S,
        )
        assert workers() == count


def test_a_load_that_is_ended_by_ctrl_c_is_judged_by_what_was_sent(
    kept: Lab, instance: Instance, tmp_path: Path
) -> None:
    (tmp_path / ".lab").symlink_to(instance.folder.parent)
    words = ("load", "--profile", "steady", "--for", "10m", "--may-be-late")
    with subprocess.Popen(
        [sys.executable, "-m", "lab", *words, "--name", instance.name],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
        text=True,
        stdout=subprocess.PIPE,
    ) as load:

        def is_offered() -> bool:
            histories = tmp_path.glob(".runs/*-load-steady/history.jsonl")
            return any('"accepted"' in each.read_text() for each in histories)

        eventually("messages to be accepted", is_offered, within_s=WITHIN_S)
        load.send_signal(signal.SIGINT)
        said, _ = load.communicate(timeout=120)

    assert load.returncode == 0, said
    assert "Stopped by hand" in said
    judged = json.loads((tmp_path / ".runs/latest/verdict.json").read_text())
    assert judged["verdict"] == "valid"
    assert 0 < judged["counts"]["accepted"] < 10 * 60 * 40


@pytest.mark.parametrize("how", ["kill", "strike"])
def test_it_is_mended_even_if_the_caller_is_killed(kept: Lab, instance: Instance, how: str) -> None:
    """SIGKILL: nothing of the caller can clean up."""

    def is_broken() -> bool:
        if how == "kill":
            return not is_ready(kept)
        return kept.endpoints.management.alarms() == ["memory"]

    command = [sys.executable, "-c", CALLER, instance.name, str(instance.folder.parent), how]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, "PYTHONPATH": str(PROJECT)}
    ) as caller:
        assert caller.stdout is not None
        assert caller.stdout.readline() == "broken\n"
        eventually("it to be broken", is_broken, within_s=WITHIN_S, tolerate=(LabError,))
        caller.send_signal(signal.SIGKILL)
    eventually("it to be mended", lambda: not is_broken(), within_s=WITHIN_S, tolerate=(LabError,))


def test_what_cannot_be_done_is_said_as_the_lab_itself_says_it(attached: Attached) -> None:
    with pytest.raises(SubstrateError, match="worker-7"):
        attached.pause(Role.WORKER, 7)
    with (
        pytest.raises(CannotRun, match="no fault 'earthquake'"),
        attached.struck("earthquake", {}),
    ):
        pass


@pytest.mark.parametrize(
    "request_",
    [
        b"{}",
        b"[]",
        b"no json",
        b'{"do": "up"}',
        b'{"do": "kill", "with": {"role": "moon"}}',
        b"\xff",
    ],
)
def test_a_request_that_means_nothing_is_refused_and_harms_nobody(
    kept: Lab, instance: Instance, request_: bytes
) -> None:
    with socket.socket(socket.AF_UNIX) as line, control._address(instance.folder) as address:
        line.settimeout(WITHIN_S)
        line.connect(address)
        line.sendall(request_ + b"\n")
        assert "cannot" in json.loads(line.makefile().readline())
    assert is_ready(kept)


def test_a_line_without_end_is_not_kept(instance: Instance) -> None:
    with socket.socket(socket.AF_UNIX) as line, control._address(instance.folder) as address:
        line.settimeout(WITHIN_S)
        line.connect(address)
        line.sendall(b"x" * control.LINE_BYTES_MAX)
        assert "cannot" in json.loads(line.makefile().readline())


def audited(kept: Lab, instance: Instance, folder: Path, name: str) -> Audit:
    """A session of its own on the lab: load, a fault, a message and a scrape."""
    place, asked = Attached(instance), {LATENCY_MEAN: None}  # a worker is killed meanwhile
    with session(name, place, Plan(seed=1, matches=2), runs=folder, objectives=asked) as lab:
        assert lab.plan == kept.plan
        with lab.load("steady"), lab.fault("worker-killed"):
            lab.run_for(seconds=2)
        lab.send(home_score=1, away_score=0, match_status="completed")
        lab.scrape(lab.season.moments(3)[1], 0)
        lab.audit()
        return check.audit(log.read(lab.folder / log.FILE))


def test_two_sessions_one_after_the_other_are_both_valid(
    kept: Lab, instance: Instance, tmp_path: Path
) -> None:
    """The second begins where the first has ended; what that one sent is none of its business."""
    first = audited(kept, instance, tmp_path, "first")
    second = audited(kept, instance, tmp_path, "second")
    assert first.valid, first.why
    assert second.valid, second.why
    assert second.counts.others == 0
    assert second.counts.accepted > 50


def test_two_sessions_at_once_do_not_convict_each_other(
    kept: Lab, instance: Instance, tmp_path: Path
) -> None:
    found: dict[str, Audit] = {}

    def run(name: str) -> None:
        found[name] = audited(kept, instance, tmp_path, name)

    both = [threading.Thread(target=run, args=(name,)) for name in ("left", "right")]
    for each in both:
        each.start()
    for each in both:
        each.join(120)
    assert {name: audit.why for name, audit in found.items() if not audit.valid} == {}
    assert set(found) == {"left", "right"}
    assert all(audit.counts.others > 0 for audit in found.values())


def test_a_message_that_is_lost_is_still_convicted_in_a_shared_lab(
    kept: Lab, instance: Instance, tmp_path: Path
) -> None:
    """Setting others apart must not make the checker blind for its own messages."""
    with session("lossy", Attached(instance), Plan(seed=1, matches=2), runs=tmp_path) as lab:
        lab.send()
        lab.ledger.attempt(
            message_id="gone",
            expect="effect",
            sender="lab",
            identity="none",
            published_at=None,
            observed_at=None,
        )
        lab.ledger.accept("gone", "queue")
        lab.audit()
        audit = check.audit(log.read(lab.folder / log.FILE))
    assert not audit.valid
    assert audit.counts.lost == 1


def test_one_that_has_died_without_a_word_is_not_taken_for_alive(
    tmp_path: Path, kept: Lab, instance: Instance
) -> None:
    state = instance.read()
    assert state is not None
    dead = Instance.named("dead", tmp_path)
    dead.folder.mkdir()
    dead.write(state)
    with pytest.raises(CannotRun, match="no lab named 'dead' is up"):
        Attached(dead).up(kept.plan)
    with pytest.raises(CannotRun, match="no lab named 'nobody' is up"):
        Attached(Instance.named("nobody", tmp_path)).up(kept.plan)


def test_a_folder_with_a_long_path_can_be_kept_too(kept: Lab, tmp_path: Path) -> None:
    """The kernel takes short paths only for sockets."""
    local = kept.substrate
    assert isinstance(local, Local)
    folder = tmp_path / ("deep" * 20) / ("er" * 40)
    folder.mkdir(parents=True)
    with control.served(folder, local, registry.striker(local, kept.endpoints)):
        client = control.Client(folder)
        assert "matches" in client.call("control_broker", "list_queues", "name")
        client.close()
    assert list(folder.iterdir()) == []


def test_two_that_start_the_same_process_start_one(
    kept: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As two sessions do whose faults end together."""
    local = kept.substrate
    assert isinstance(local, Local)
    started: list[Command] = []
    spawn = Spawner.spawn

    def counted(self: Spawner, command: Command, log: Path) -> Handle:
        started.append(command)
        return spawn(self, command, log)

    monkeypatch.setattr(Spawner, "spawn", counted)
    local.kill(Role.SITE)
    both = [threading.Thread(target=local.start, args=(Role.SITE,)) for _ in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert len(started) == 1
