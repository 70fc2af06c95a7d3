"""The local substrate, with real services: up, broken on purpose, brought back, and gone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg
import pytest
import redis
from kombu.connection import Connection

from lab.errors import SubstrateError
from lab.substrates.abilities import Killable, Pausable, Program, Scalable
from lab.substrates.local import Local, broker, detached, keeper, processes
from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import HOST, is_free
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Substrate
from lab.tests import trees
from lab.wait import eventually
from system.contract import topology

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

WATCHERS = {
    Role.SCRAPER_EXPORTER,
    Role.EXPORTER,
    Role.PROMETHEUS,
    Role.ALERTMANAGER,
    Role.FLOWER,
    Role.GRAFANA,
}
ONE_OF_EACH = Plan(seed=7, matches=40, workers=1, concurrency=1)


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A path with a space, as people have."""
    return tmp_path_factory.mktemp("a lab") / ".lab"


@pytest.fixture(scope="module")
def instance(base: Path) -> Iterator[Instance]:
    made = Instance.named("test", base)
    with keeper.in_process(made):
        yield made


@pytest.fixture(scope="module")
def local(instance: Instance) -> Iterator[Local]:
    made = Local(instance)
    made.up(ONE_OF_EACH)
    try:
        yield made
    finally:
        made.down()


def running(local: Local) -> list[psutil.Process]:
    """Every process of the lab, children included."""
    return [member for each in local.processes() for member in processes.tree(each.pid)]


def verdict(instance: Instance) -> str:
    """What `lab status` would say."""
    return detached.status(instance).verdict


def as_substrate(local: Substrate) -> Substrate:
    """The type checker holds Local to the protocol here."""
    return local


def test_a_command_that_is_killed_leaves_nothing_outside_the_lab(
    local: Local, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker keeps temporary files for its children."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    settings = {"MISSING_TABLE_READY_FILE": "killed.ready", "MISSING_TABLE_CONCURRENCY": "1"}
    with local.started(Program.WORKER, log="killed", settings=settings):
        eventually("it to work", lambda: local.read("killed.ready") is not None, within_s=60)
    assert list(tmp_path.iterdir()) == []


def test_it_offers_what_faults_ask_for(local: Local) -> None:
    assert isinstance(as_substrate(local), Killable)
    assert isinstance(local, Pausable)
    assert isinstance(local, Scalable)


def test_up_means_that_everything_answers(local: Local, instance: Instance) -> None:
    names = {each.name for each in local.processes()}

    assert {f"{role}-0" for role in set(Role) - WATCHERS} < names
    assert not {f"{role}-0" for role in WATCHERS} & names
    assert verdict(instance) == "up"


def test_nothing_listens_beyond_this_machine(local: Local) -> None:
    heard = {
        (each.name(), address.laddr.ip, address.laddr.port)
        for each in running(local)
        for address in each.net_connections("inet")
        if address.status == psutil.CONN_LISTEN
    }

    assert len(heard) >= 8
    # Erlang's port mapper adds IPv6's own loopback by itself.
    assert {ip for _, ip, _ in heard} <= {HOST, "::1"}


def test_passwords_are_on_no_command_line_and_in_no_readable_file(
    local: Local, instance: Instance
) -> None:
    ends = local.endpoints
    urls = (*ends.broker_urls.values(), ends.results_url, ends.database_url)
    secrets = [url.split("@")[0].rsplit(":", 1)[1] for url in urls] + [ends.api_token]

    lines = "\n".join(" ".join(each.cmdline()) for each in running(local))
    logs = "\n".join(p.read_text(errors="replace") for p in instance.logs.iterdir())
    readable = [p for p in instance.folder.rglob("*") if p.is_file() and p.stat().st_mode & 0o077]

    assert len(set(secrets)) == len(secrets)
    assert not [each for each in secrets if each in lines or each in logs or each in repr(ends)]
    assert not [p for p in readable if p.name in {"state.json", "redis.conf", "definitions.json"}]


def test_each_user_of_the_broker_can_log_in_and_only_the_admin_can_declare(local: Local) -> None:
    for user, url in local.endpoints.broker_urls.items():
        with Connection(url, connect_timeout=5) as link:
            channel = link.channel()
            if user == "admin":
                assert channel.queue_declare(topology.PROCESS_QUEUE, passive=True)
            else:
                with pytest.raises(link.connection_errors + link.channel_errors, match="403"):
                    channel.queue_declare(f"made by {user}")


def test_a_node_preloads_its_modules_and_what_it_starts_does_not(local: Local) -> None:
    """The script was evaluated, or the variable would be there still; how fast is not asked."""
    assert local.control_broker("eval", 'os:getenv("ERL_AFLAGS").').strip() == "false"


def test_what_was_committed_survives_a_killed_database(local: Local) -> None:
    url = local.endpoints.database_url
    with psycopg.connect(url, connect_timeout=5) as connection:
        connection.execute("create table kept (n int)")
        connection.execute("insert into kept values (42)")

    local.kill(Role.DATABASE)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(url, connect_timeout=5)
    local.start(Role.DATABASE)

    with psycopg.connect(url, connect_timeout=5) as connection:
        assert connection.execute("select n from kept").fetchone() == (42,)
        connection.execute("drop table kept")


@pytest.mark.parametrize("role", [Role.BROKER, Role.RESULTS, Role.API, Role.WORKER, Role.SITE])
def test_a_killed_role_is_seen_and_comes_back(local: Local, instance: Instance, role: Role) -> None:
    before = {each.name: each.pid for each in local.processes()}

    local.kill(role)
    local.kill(role)  # twice does no harm
    assert verdict(instance) == "degraded"
    local.start(role)
    local.start(role)

    after = {each.name: each.pid for each in local.processes()}
    assert verdict(instance) == "up"
    assert {name for name in after if after[name] != before[name]} == {f"{role}-0"}
    assert local.logs(role)


def test_a_worker_that_is_asked_to_end_does_so_by_itself(local: Local) -> None:
    local.terminate(Role.WORKER, within_s=60)
    ended = next(each for each in local.processes() if each.name == "worker-0")

    assert not processes.tree(ended.pid)
    local.start(Role.WORKER)


def test_a_paused_role_says_nothing_until_it_is_resumed(local: Local, instance: Instance) -> None:
    client = redis.Redis.from_url(local.endpoints.results_url, socket_timeout=0.5)
    try:
        local.pause(Role.RESULTS)
        with pytest.raises(redis.TimeoutError):
            client.ping()
        eventually("the pause to be seen", lambda: verdict(instance) == "degraded", within_s=20)
        local.resume(Role.RESULTS)
        assert client.ping()
    finally:
        local.resume(Role.RESULTS)
        client.close()


def test_workers_can_be_more_and_fewer(local: Local, instance: Instance) -> None:
    def workers() -> list[str]:
        return [each.name for each in local.processes() if each.name.startswith("worker")]

    local.scale(Role.WORKER, 2)
    assert workers() == ["worker-0", "worker-1"]
    local.scale(Role.WORKER, 1)
    assert workers() == ["worker-0"]
    assert verdict(instance) == "up"
    with pytest.raises(SubstrateError, match="workers only"):
        local.scale(Role.BROKER, 3)


def test_a_role_that_is_not_there_is_named(local: Local) -> None:
    with pytest.raises(SubstrateError, match="no worker-9"):
        local.kill(Role.WORKER, 9)


def test_two_labs_live_side_by_side_and_leave_nothing(
    local: Local, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))  # what its processes leave would be seen here
    instance = Instance.named("second", base)
    with keeper.in_process(instance):
        second = Local(instance)
        second.up(ONE_OF_EACH)
        state = instance.read()
        assert state is not None
        ports = [port for each in state.processes for port in each.ports]
        members = running(second)
        # A tool that finds no port mapper must not start one: nobody would end it.
        (mapper,) = (each for each in state.processes if each.name == broker.PORT_MAPPER)
        psutil.Process(mapper.pid).kill()
        with pytest.raises(SubstrateError, match="rabbitmqctl"):
            second.control_broker("status")
        second.down()

        trees.wait_gone(members, within_s=20)
        # A connection that was open may linger; nothing listens any more.
        assert all(map(is_free, ports))
    assert not [folder for folder in state.elsewhere if Path(folder).exists()]
    assert not instance.folder.exists()
    assert not list(tmp_path.iterdir())
    assert set(ports).isdisjoint(p for each in local.processes() for p in each.ports)


def test_a_start_that_fails_says_why_and_keeps_the_logs(base: Path) -> None:
    instance = Instance.named("failing", base)
    plan = Plan(seed=7, matches=40, workers=0, wrapper={Role.API: "no_such_wrapper"})

    with (
        keeper.in_process(instance),
        pytest.raises(SubstrateError, match="no_such_wrapper") as raised,
    ):
        Local(instance).up(plan)

    assert str(instance.logs / "api-0.log") in str(raised.value)
    assert (instance.logs / "api-0.log").exists()
    assert {each.name for each in instance.folder.iterdir()} == {"logs"}


def test_endpoints_survive_the_state_file(local: Local, instance: Instance) -> None:
    state = instance.read()

    assert state is not None
    assert state.addresses() == local.endpoints
