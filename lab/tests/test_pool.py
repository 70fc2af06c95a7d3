"""A broker that one lab leaves to the next is as good as new, or it is replaced."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path
from threading import Barrier

import psutil
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from lab.clients import amqp
from lab.errors import LabError
from lab.substrates.local import Local, keeper
from lab.substrates.local.instance import Instance
from lab.substrates.local.pool import Pool
from lab.substrates.local.processes import Running
from lab.substrates.plan import Plan, Role
from lab.wait import eventually
from system.contract import topology

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

PLAN = Plan(seed=7, matches=10, workers=0)
NODE = {"broker-0", "broker-epmd"}


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pool]:
    """The pool of this module's labs."""
    with closing(Pool(tmp_path_factory.mktemp("pool"), kept=1)) as made:
        yield made


def use(pool: Pool, folder: Path, act: Callable[[Local], object]) -> dict[str, int]:
    """Let a lab come up, act on it, and go; give the pids that its node had in the end."""
    instance = Instance.named("test", folder)
    with keeper.in_process(instance):
        local = Local(instance, pool=pool)
        local.up(PLAN)
        try:
            act(local)
            found = pids(local)
        finally:
            local.down()
    return found


def pids(local: Local) -> dict[str, int]:
    """The processes of its node, by name."""
    return {each.name: each.pid for each in local.processes() if each.name in NODE}


def fill(local: Local) -> None:
    """Leave something of every kind behind."""
    management = local.endpoints.management
    with amqp.channel(local.endpoints.broker_urls["admin"]) as on:
        on.queue_declare("of-the-first", durable=True)
        for queue in topology.QUEUES:
            on.basic_publish("", queue.name, b"of the first")
        on.queue_unbind(topology.PROCESS_QUEUE, topology.EXCHANGE, topology.PROCESS_QUEUE)
    management.call("PUT", "users/stranger", {"password": "x", "tags": ""})
    management.call("PUT", "users/worker", {"password": "another", "tags": "administrator"})
    management.call("PUT", "policies/%2F/first", {"pattern": ".*", "definition": {"max-length": 1}})
    management.call("PUT", "vhosts/of-the-first")
    management.call("PUT", "vhost-limits/%2F/max-queues", {"value": 1})


def limit(local: Local) -> None:
    """Leave something that is not undone."""
    local.endpoints.management.call("PUT", "user-limits/worker/max-connections", {"value": 0})


def everything(local: Local) -> dict[str, object]:
    """What can be found in the node."""
    management = local.endpoints.management
    exported: dict[str, object] = {
        name: management.get(name)
        for name in ("policies", "vhost-limits", "user-limits", "parameters")
    }
    kept = "name,type,durable,auto_delete,internal,arguments"  # not what has gone through them
    exported["exchanges"] = sorted(management.get(f"exchanges?columns={kept}"), key=repr)
    for name in "queues", "users", "vhosts":
        exported[name] = sorted(each["name"] for each in management.get(f"{name}?columns=name"))
    for name in "bindings", "permissions":
        exported[name] = sorted(management.get(name), key=repr)
    with amqp.channel(local.endpoints.broker_urls["worker"]) as on:
        exported["depths"] = [
            on.queue_declare(queue.name, passive=True).method.message_count
            for queue in topology.QUEUES
        ]
    return exported


def test_the_next_lab_gets_the_same_node_with_nothing_of_the_last(
    pool: Pool, tmp_path: Path
) -> None:
    seen: list[dict[str, object]] = []
    first = use(pool, tmp_path / "1", lambda local: seen.append(everything(local)))
    second = use(pool, tmp_path / "2", fill)
    third = use(pool, tmp_path / "3", lambda local: seen.append(everything(local)))
    assert first.keys() == NODE
    assert first == second == third
    assert seen[0] == seen[1]


def test_what_went_through_a_queue_is_not_counted_for_the_next_lab(
    pool: Pool, tmp_path: Path
) -> None:
    acked: list[int] = []

    def pass_through(count: int, local: Local) -> None:
        with amqp.channel(local.endpoints.broker_urls["admin"]) as on:
            for _ in range(count):
                on.basic_publish("", topology.LEARN_QUEUE, b"x")
            taken = eventually_taken(on, count)
            on.basic_ack(taken, multiple=True)

    def count(local: Local) -> None:
        pass_through(1, local)
        acked.append(
            eventually(
                "the broker to count",
                lambda: local.endpoints.management.queue(topology.LEARN_QUEUE).acked,
                within_s=30,
                tolerate=(LabError,),
            )
        )

    use(pool, tmp_path / "1", partial(pass_through, 50))
    use(pool, tmp_path / "2", count)
    assert acked == [1]


def eventually_taken(on: BlockingChannel, count: int) -> int:
    """Take `count` messages; give the last one's tag."""
    last = 0
    while last < count:
        found, _, _ = on.basic_get(topology.LEARN_QUEUE)
        last = found.delivery_tag if found else last
    return last


@pytest.mark.long
def test_a_node_that_was_killed_and_started_again_is_given_on(pool: Pool, tmp_path: Path) -> None:
    found: list[dict[str, int]] = []
    seen: list[dict[str, object]] = []

    def fill_and_kill(local: Local) -> None:
        seen.append(everything(local))
        fill(local)
        local.kill(Role.BROKER)
        local.start(Role.BROKER)
        # Deleted before they have begun, the workers of its dead letters take their supervisor
        # with them: then the node is replaced. They have begun when a queue's leader has counted
        # for the first time, some seconds after it became one.
        eventually(
            "every queue's leader to have counted",
            lambda: all(map(has_counted, local.endpoints.management.get("queues"))),
            within_s=60,
            tolerate=(LabError,),
        )
        found.append(pids(local))

    use(pool, tmp_path / "1", fill_and_kill)
    second = use(pool, tmp_path / "2", lambda local: seen.append(everything(local)))
    assert found == [second]
    assert seen[0] == seen[1]


def has_counted(queue: dict[str, object]) -> bool:
    """Whether a quorum queue's leader has told how many dead letters are on their way."""
    return queue["type"] != "quorum" or "messages_dlx" in queue


def kill_behind_its_back(local: Local) -> None:
    """Let it die without the lab's doing."""
    psutil.Process(pids(local)["broker-0"]).kill()


def restart_and_reach(local: Local) -> None:
    """Start it again, and use its own tool, which can change settings."""
    local.kill(Role.BROKER)
    local.start(Role.BROKER)
    local.control_broker("status")


BREAK: dict[str, Callable[[Local], object]] = {
    "stopped": lambda local: local.pause(Role.BROKER),
    "restarted, and reached with rabbitmqctl": restart_and_reach,
    "killed": kill_behind_its_back,
    "changed in a way that nobody thought of": limit,
    "left alone": lambda local: None,
}


@pytest.mark.long
@pytest.mark.timeout(600)
def test_a_node_that_was_broken_is_replaced(pool: Pool, tmp_path: Path) -> None:
    broken: dict[str, dict[str, int]] = {}
    for number, (how, act) in enumerate(BREAK.items()):
        found = use(pool, tmp_path / str(number), act)
        for before, gone in broken.items():
            assert not set(gone.values()) & set(found.values()), before
        broken[how] = found
    last = broken.popitem()
    assert not [how for how, gone in broken.items() if any(map(psutil.pid_exists, gone.values()))]
    assert last == ("left alone", use(pool, tmp_path / "last", lambda local: None))


def test_two_labs_at_once_have_nodes_of_their_own_and_the_end_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    both = Barrier(2, timeout=120)
    pool = Pool(tmp_path / "pool")
    killed: list[int] = []

    def one(number: int) -> dict[str, int]:
        return use(pool, tmp_path / str(number), lambda local: both.wait())

    def kill(self: Running, really: Callable[[Running], None] = Running.kill) -> None:
        killed.append(self.pid)
        really(self)

    monkeypatch.setattr(Running, "kill", kill)
    with ThreadPoolExecutor(2) as threads:
        nodes = list(threads.map(one, (1, 2)))
    first, second = (set(found.values()) for found in nodes)
    assert not first & second
    assert all(map(psutil.pid_exists, first | second))
    pool.close()
    assert not any(map(psutil.pid_exists, first | second))
    assert not (tmp_path / "pool").exists()
    for found in nodes:  # or the broker would start another epmd in between
        assert killed.index(found["broker-0"]) < killed.index(found["broker-epmd"])
