"""TLS to the broker, to Redis and to the API: real listeners, and no way around verification."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis

from system import tls
from system.client import BackendClient
from system.contract import envelope as wire
from system.contract.submission import Submission, Way
from system.contract.topology import EXCHANGE, PROCESS_QUEUE, VALIDATE_QUEUE
from system.errors import ApiUnavailable, BrokerUnavailable, SettingsError
from system.messaging.publisher import Publisher, PublishOutcome
from system.settings import OperatorSettings
from system.tests.certificates import Authority, Certificate
from system.tests.listeners import Files, https, listen, with_tls
from system.tests.results import redis_server
from system.worker.dead_letters import queue
from system.worker.tests import own_worker
from system.worker.tests.bench import Bench, a_match, until

pytestmark = [pytest.mark.services, pytest.mark.slow, pytest.mark.timeout(420)]

REFUSED = "certificate verify failed"


@dataclass
class World:
    """A running lab whose broker, API and Redis are also reached by TLS.

    Attributes:
        amqps: by user.
        mutual: the scraper's URL where the broker asks for a certificate.
        misnamed: the scraper's URL where the broker shows a certificate for another name.
    """

    bench: Bench
    ours: Authority
    others: Authority
    amqps: dict[str, str]
    mutual: str
    misnamed: str
    https: str
    rediss: str


@pytest.fixture(scope="module")
def world(shared_lab: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("tls")
    ours, others = Authority(folder, "ours"), Authority(folder, "others")
    server = ours.issue("server")
    shown = Files(cert_file=server.cert, key_file=server.key)
    with ExitStack() as stack:
        ports = [
            listen(shared_lab, ours, server, "verify_none"),
            listen(shared_lab, ours, server, "verify_peer"),
            listen(shared_lab, ours, ours.issue("wrong", for_another_name=True), "verify_none"),
        ]
        urls = shared_lab.endpoints.broker_urls
        yield World(
            Bench(shared_lab),
            ours,
            others,
            {user: with_tls(url, ports[0]) for user, url in urls.items()},
            with_tls(urls["scraper"], ports[1]),
            with_tls(urls["scraper"], ports[2]),
            stack.enter_context(https(shared_lab, shown)),
            stack.enter_context(redis_server(server)),
        )
        for port in ports:
            shared_lab.substrate.control_broker(
                "eval", f'rabbit_networking:stop_ranch_listener_of_protocol("127.0.0.1:{port}").'
            )


def _trust(authority: Authority, shown: Certificate | None = None) -> Any:
    cert, key = (shown.cert, shown.key) if shown else (None, None)
    return tls.trust(Files(authority.root.cert, cert, key))


def _publish(url: str, trust: Any, within_s: float = 60.0) -> tuple[PublishOutcome, str]:
    with Publisher(url, trust=trust) as publisher:
        (result,) = publisher.publish(
            [a_match()], exchange=EXCHANGE, key=PROCESS_QUEUE, within_s=within_s
        )
    return result.outcome, result.detail


def _refusal(url: str, trust: Any) -> str:
    """Why nothing can be published there; it is tried for the whole of the time."""
    why = ""
    for within_s in (3.0, 10.0, 30.0):
        outcome, why = _publish(url, trust, within_s)
        assert outcome is PublishOutcome.REFUSED
        if "no answer" not in why:  # on a busy machine even the first attempt takes long
            break
    return why


def test_a_publisher_reaches_a_broker_that_its_authority_vouches_for(world: World) -> None:
    assert _publish(world.amqps["scraper"], _trust(world.ours)) == (PublishOutcome.CONFIRMED, "")


@pytest.mark.parametrize(
    "whom", ["others", pytest.param("the machine's", marks=pytest.mark.faults)]
)
def test_a_publisher_refuses_a_broker_that_nobody_it_trusts_vouches_for(
    whom: str, world: World
) -> None:
    trust = _trust(world.others) if whom == "others" else tls.trust(Files())
    assert REFUSED in _refusal(world.amqps["scraper"], trust).lower()


def test_a_publisher_refuses_a_broker_that_shows_another_name(world: World) -> None:
    assert "127.0.0.1" in _refusal(world.misnamed, _trust(world.ours))


def test_a_broker_that_asks_for_a_certificate_gets_it(world: World) -> None:
    shown = world.ours.issue("client")
    assert _publish(world.mutual, _trust(world.ours, shown))[0] is PublishOutcome.CONFIRMED
    _refusal(world.mutual, _trust(world.ours))


def test_the_client_reaches_only_an_api_that_its_authority_vouches_for(world: World) -> None:
    envelope = a_match()
    submission = Submission(
        message_id=envelope.message_id,
        match=envelope.arguments[0],
        published_at=envelope.published_at,
        way=Way.HTTP,
        attempt=1,
    )
    with BackendClient(world.https, "token", _trust(world.ours)) as client:
        (outcome,) = client.post([submission])
        assert outcome.message_id == envelope.message_id
    with (
        BackendClient(world.https, "token", _trust(world.others)) as client,
        pytest.raises(ApiUnavailable, match=REFUSED),
    ):
        client.post([submission])


def test_the_operators_tool_reaches_only_a_broker_it_trusts(world: World) -> None:
    url = world.amqps["operator"]
    with queue.open_channel(url, _trust(world.ours)()) as on:
        assert list(queue.walk(on)) == []
    with (
        pytest.raises(BrokerUnavailable, match=REFUSED),
        queue.open_channel(url, _trust(world.others)()),
    ):
        pass


def _worker_settings(world: World, authority: Authority, tmp_path: Path) -> dict[str, str]:
    return {
        "broker_url": world.amqps["worker"],
        "result_url": world.rediss,
        "api_url": world.https,
        "api_token": "token",
        "ca_file": str(authority.root.cert),
        "concurrency": "1",
        "ready_file": str(tmp_path / "ready"),
    }


def test_a_worker_does_everything_by_tls(
    world: World, tmp_path: Path, run_worker: Callable[[dict[str, str]], Path]
) -> None:
    """It takes the message, retries and dead-letters, posts to the API, and answers by Redis."""
    bench = world.bench
    bench.lab.substrate.terminate("worker")  # so that nobody else takes them
    try:
        run_worker(_worker_settings(world, world.ours, tmp_path))
        asked = a_match(task=wire.VALIDATE_TASK)
        bench.send(
            asked.with_headers({**asked.headers, "ignore_result": False}), key=VALIDATE_QUEUE
        )
        good, invalid = bench.send(a_match()), bench.send(a_match(home_score=-1))
        bench.put(b"no JSON", message_id="no-json", content_type="application/json")
        assert bench.receipt(good)["effect"] == "created"
        assert bench.letter(invalid).reason == "invalid"
        assert bench.letter("no-json").reason == "unreadable"
        with redis.Redis.from_url(
            world.rediss, ssl_ca_certs=str(world.ours.root.cert), socket_timeout=30
        ) as results:
            until("an answer", lambda: results.get(f"celery-task-meta-{asked.message_id}"))
    finally:
        bench.lab.substrate.start("worker")
        bench.clear()


@pytest.mark.faults
def test_a_worker_says_that_it_does_not_trust_the_broker_and_goes_on_trying(
    world: World, tmp_path: Path, run_worker: Callable[[dict[str, str]], Path]
) -> None:
    log = run_worker(_worker_settings(world, world.others, tmp_path))
    until("it to say why", lambda: REFUSED in log.read_text().lower())
    assert not (tmp_path / "ready").exists()


@pytest.fixture
def run_worker(tmp_path: Path) -> Iterator[Callable[[dict[str, str]], Path]]:
    """Start a worker of the test's own with these settings; give its log."""
    with ExitStack() as stack:

        def start(settings: dict[str, str]) -> Path:
            log = tmp_path / "worker.log"
            stack.enter_context(own_worker.running(log, **settings))
            return log

        yield start


@pytest.mark.parametrize(
    ("files", "named"),
    [
        (Files(ca_file=Path("/no/such/file")), "MISSING_TABLE_CA_FILE, /no/such/file"),
        (Files(ca_file=Path(__file__)), "MISSING_TABLE_CA_FILE"),
        (Files(cert_file=Path(__file__)), "go together"),
        (Files(cert_file=Path(__file__), key_file=Path(__file__)), "MISSING_TABLE_CERT_FILE"),
    ],
)
def test_files_that_are_none_are_named_with_their_variable(files: Files, named: str) -> None:
    with pytest.raises(SettingsError, match=named):
        tls.trust(files)


def test_the_settings_hold_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISSING_TABLE_BROKER_URL", "amqps://x")
    monkeypatch.setenv("MISSING_TABLE_CA_FILE", "/etc/ca.pem")
    assert OperatorSettings().ca_file == Path("/etc/ca.pem")
