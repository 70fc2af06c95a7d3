"""What every substrate must do, whatever it is made of; each registered one is held to it as it is.

What an ability promises is tested if the substrate has it, and skipped with its name if not.
"""

from __future__ import annotations

import http.client
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

import pytest

from lab.errors import CannotRun, SubstrateError
from lab.substrates import registry
from lab.substrates.abilities import (
    Answering,
    ChildKillable,
    Controllable,
    Killable,
    Partitionable,
    Pausable,
    Program,
    RunsPrograms,
    Scalable,
)
from lab.substrates.answering import Answer
from lab.substrates.plan import Link, Plan, Role
from lab.substrates.protocol import Endpoints, Substrate
from lab.wait import eventually

pytestmark = [pytest.mark.timeout(600)]

PLAN = Plan(seed=7, matches=40, workers=1, concurrency=1, relayed=frozenset(Link))
SILENT_S = 2.0
"""Who has not answered for so long is silent: for what must not answer."""
ANSWERS_S = 60.0
"""How long an answer may take that has to come."""
BACK_WITHIN_S = 60.0
AMQP = b"AMQP\x00\x00\x09\x01"
A = TypeVar("A")


BEYOND = {"docker": [pytest.mark.docker], "kubernetes": [pytest.mark.kubernetes]}
"""What a kind needs beyond the services of this machine."""
HERE = [pytest.mark.services, pytest.mark.laboratory]
KINDS = [
    "fake",
    *(pytest.param(name, marks=BEYOND.get(name, HERE)) for name in registry.names()),
]


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """The name of a substrate."""
    return str(request.param)


@pytest.fixture(scope="module")
def place(kind: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Substrate]:
    """A substrate of this kind, for all tests."""
    with registry.find(kind).opened("conformance", tmp_path_factory.mktemp("base")) as made:
        yield made


@pytest.fixture(scope="module")
def ends(place: Substrate) -> Iterator[Endpoints]:
    """It is up."""
    yield place.up(PLAN)
    place.down()
    place.down()  # twice does no harm


def able(place: Substrate, ability: Callable[..., A]) -> A:
    """The substrate as something that has an ability."""
    kind: Any = ability  # a protocol, which the type checker takes for a function here
    if not isinstance(place, kind):
        pytest.skip(f"the substrate {place.name!r} is not {kind.__name__}")
    return cast("A", place)


def address(ends: Endpoints, role: Role) -> tuple[str, int]:
    """Where a role answers."""
    urls = {
        Role.BROKER: ends.broker_urls["admin"],
        Role.RESULTS: ends.results_url,
        Role.DATABASE: ends.database_url,
        Role.API: ends.api_url,
        Role.SITE: ends.site_url,
    }
    at = urlsplit(urls[role])
    return str(at.hostname), int(at.port or 0)


def accepts(ends: Endpoints, role: Role) -> bool:
    """Whether somebody takes connections for a role."""
    try:
        with socket.create_connection(address(ends, role), timeout=SILENT_S):
            return True
    except OSError:
        return False


def is_ready(ends: Endpoints, within_s: float = ANSWERS_S) -> bool:
    """Whether the API says that it is ready."""
    connection = http.client.HTTPConnection(*address(ends, Role.API), timeout=within_s)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def greets(ends: Endpoints, within_s: float = ANSWERS_S) -> bool:
    """Whether the broker answers the scraper, by the way that a fault of its link can break."""
    at = urlsplit(ends.broker_urls["scraper"])
    try:
        with socket.create_connection((at.hostname, at.port), timeout=within_s) as line:
            line.sendall(AMQP)
            return bool(line.recv(1))
    except OSError:
        return False


def is_closed(line: socket.socket) -> bool:
    """Whether the other side has closed the connection."""
    try:
        while line.recv(4096):
            pass
    except TimeoutError:
        return False
    except OSError:
        return True
    return True


def test_it_runs_under_its_own_name(kind: str, place: Substrate) -> None:
    assert place.name == kind
    assert registry.find(kind).name == kind


def test_up_means_that_everything_answers(ends: Endpoints) -> None:
    roles = (Role.BROKER, Role.RESULTS, Role.DATABASE, Role.API, Role.SITE)
    assert [role for role in roles if not accepts(ends, role)] == []
    assert is_ready(ends)


def test_what_it_tells_hides_its_passwords(ends: Endpoints) -> None:
    assert ends.api_token not in repr(ends)
    assert str(urlsplit(ends.broker_urls["admin"]).password) not in repr(ends)


def test_every_role_has_its_log_and_all_of_them_can_be_had(
    place: Substrate, ends: Endpoints
) -> None:
    (log,) = place.logs(Role.API)
    assert log.name == "api-0"
    eventually("it to have written something", log.text, within_s=60)
    names = {each.name for each in place.logs()}
    assert {"api-0", "worker-0", "broker-0"} <= names


def test_a_killed_process_is_gone_and_comes_back_at_the_same_address(
    place: Substrate, ends: Endpoints
) -> None:
    killable = able(place, Killable)
    killable.kill(Role.API)
    killable.kill(Role.API)  # twice does no harm
    assert not is_ready(ends, SILENT_S)
    killable.start(Role.API)
    killable.start(Role.API)
    assert is_ready(ends)


def test_a_process_that_is_asked_to_end_does(place: Substrate, ends: Endpoints) -> None:
    killable = able(place, Killable)
    killable.terminate(Role.SITE, within_s=BACK_WITHIN_S)
    assert not accepts(ends, Role.SITE)
    killable.start(Role.SITE)
    assert accepts(ends, Role.SITE)


def test_a_process_that_is_not_there_is_named(place: Substrate, ends: Endpoints) -> None:
    with pytest.raises(SubstrateError, match="worker-9"):
        able(place, Killable).kill(Role.WORKER, 9)


def test_a_paused_process_says_nothing_until_it_goes_on(place: Substrate, ends: Endpoints) -> None:
    pausable = able(place, Pausable)
    pausable.pause(Role.API)
    try:
        assert not is_ready(ends, SILENT_S)
    finally:
        pausable.resume(Role.API)
        pausable.resume(Role.API)
    eventually("it to answer again", lambda: is_ready(ends), within_s=BACK_WITHIN_S)


def test_workers_can_be_more_and_fewer_and_other_roles_are_refused(
    place: Substrate, ends: Endpoints
) -> None:
    scalable = able(place, Scalable)
    scalable.scale(Role.WORKER, 2)
    assert {"worker-0", "worker-1"} <= {each.name for each in place.logs(Role.WORKER)}
    scalable.scale(Role.WORKER, 1)
    with pytest.raises(SubstrateError, match="worker-1"):
        able(place, Killable).kill(Role.WORKER, 1)
    with pytest.raises(SubstrateError, match="workers only"):
        scalable.scale(Role.BROKER, 3)


def test_one_child_of_a_worker_can_be_killed(place: Substrate, ends: Endpoints) -> None:
    able(place, ChildKillable).kill_child(Role.WORKER)


def test_the_brokers_own_tool_can_be_run_and_its_failure_is_an_error(
    place: Substrate, ends: Endpoints
) -> None:
    broker = able(place, Controllable)
    assert "matches.process" in broker.control_broker("list_queues", "name")
    with pytest.raises(SubstrateError, match="no_such_command"):
        broker.control_broker("no_such_command")


@pytest.mark.parametrize("how", ["cut", "stall", "slow"])
def test_a_broken_link_lets_nothing_through_until_it_is_healed(
    place: Substrate, ends: Endpoints, how: str
) -> None:
    links = able(place, Partitionable)
    given: dict[str, Any] = {"latency_s": 2 * ANSWERS_S} if how == "slow" else {}
    assert greets(ends)
    getattr(links, how)(Link.SCRAPER_BROKER, **given)
    try:
        assert not greets(ends, SILENT_S)
    finally:
        links.heal(Link.SCRAPER_BROKER)
        links.heal(Link.SCRAPER_BROKER)
    assert greets(ends)


def test_a_half_open_link_serves_new_connections(place: Substrate, ends: Endpoints) -> None:
    links = able(place, Partitionable)
    at = urlsplit(ends.broker_urls["scraper"])
    with socket.create_connection((at.hostname, at.port), timeout=ANSWERS_S) as line:
        line.sendall(AMQP)
        assert line.recv(1)
        links.half_open(Link.SCRAPER_BROKER)
        try:
            assert is_closed(line)
            assert greets(ends)
        finally:
            links.heal(Link.SCRAPER_BROKER)


def test_requests_on_a_link_are_answered_in_its_targets_place_until_it_is_healed(
    place: Substrate, ends: Endpoints
) -> None:
    answers, links = able(place, Answering), able(place, Partitionable)
    at = urlsplit(ends.broker_urls["scraper"])
    answers.answer(Link.SCRAPER_BROKER, Answer.BUSY)
    try:
        connection = http.client.HTTPConnection(str(at.hostname), at.port, timeout=BACK_WITHIN_S)
        connection.request("POST", "/api/matches", b"[]")
        assert connection.getresponse().status == http.HTTPStatus.TOO_MANY_REQUESTS
        connection.close()
    finally:
        links.heal(Link.SCRAPER_BROKER)
    assert greets(ends)


def test_programs_run_where_the_system_runs(place: Substrate, ends: Endpoints) -> None:
    programs = able(place, RunsPrograms)
    done = programs.run(Program.SCRAPER, "waiting")  # there is no outbox yet
    assert (done.code, done.stdout) == (2, ""), done
    assert "outbox" in done.stderr
    wrong = programs.run(Program.WORKER, settings={"MISSING_TABLE_BROKER_URL": None})
    assert wrong.code == 2
    assert "MISSING_TABLE_BROKER_URL" in wrong.stderr
    with pytest.raises(SubstrateError, match="still ran"):
        programs.run(Program.WORKER, within_s=0.2)


def test_files_of_the_working_folder_can_be_written_and_read_in_pieces(
    place: Substrate, ends: Endpoints
) -> None:
    programs = able(place, RunsPrograms)
    assert programs.read("a.txt") is None
    programs.write("a.txt", b"first\nsecond\n")
    assert programs.read("a.txt") == b"first\nsecond\n"
    assert programs.read("a.txt", 6) == b"second\n"
    assert programs.read("a.txt", 13) == b""


def test_a_program_beside_the_block_ends_with_it(place: Substrate, ends: Endpoints) -> None:
    programs = able(place, RunsPrograms)
    settings = {"MISSING_TABLE_READY_FILE": "beside.ready", "MISSING_TABLE_CONCURRENCY": "1"}
    with programs.started(Program.WORKER, log="beside", settings=settings) as worker:
        eventually(
            "it to be ready",
            lambda: programs.read("beside.ready") is not None,
            within_s=BACK_WITHIN_S,
        )
        assert worker.ended() is None
    assert worker.ended() is not None
    assert "beside" in {each.name for each in place.logs()}


def test_two_live_side_by_side_but_not_under_one_name(
    kind: str, place: Substrate, ends: Endpoints, tmp_path: Path
) -> None:
    provider = registry.find(kind)
    base = tmp_path / "base"
    with provider.opened("second", base) as second:
        others = second.up(PLAN)
        with pytest.raises(CannotRun, match="second"), provider.opened("second", base):
            pass
        assert address(others, Role.API) != address(ends, Role.API)
        assert is_ready(others)
        second.down()
        assert not accepts(others, Role.API)
    assert is_ready(ends)
    assert not base.exists() or list(base.iterdir()) == []
