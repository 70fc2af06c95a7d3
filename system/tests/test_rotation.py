"""Clients that keep running while their password, token or certificate changes: on real services.

The publisher and the client of the API; what a worker makes of them is in its own tests.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from system import tls
from system.client import BackendClient
from system.contract.submission import Submission, Way
from system.contract.topology import EXCHANGE
from system.errors import ApiUnavailable, LoginRefused
from system.messaging.publisher import Publisher, PublishResult
from system.secret_files import SecretFile
from system.tests.broker import envelopes, own_queue
from system.tests.certificates import Authority
from system.tests.listeners import Files, https
from system.tests.relay import Relay, relay
from system.worker.tests.bench import Bench, a_match

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

USER = "rotated"


@pytest.fixture
def broker(shared_lab: Any) -> Iterator[Bench]:
    """The shared system, and in its broker a user of the test's own, who may do everything."""
    bench = Bench(shared_lab)
    _set_password(bench, "first")
    shared_lab.endpoints.management.allow_everything(USER)
    yield bench
    shared_lab.endpoints.management.call("DELETE", f"users/{USER}")


def _set_password(bench: Bench, password: str) -> None:
    management = bench.lab.endpoints.management
    management.call("PUT", f"users/{USER}", {"password": password, "tags": ""})


@contextmanager
def _counted(bench: Bench, file: Path, password: str) -> Iterator[Relay]:
    """Behind a relay that counts connections, the broker; its address is in the file."""
    parts = urlsplit(bench.urls["admin"])
    assert parts.hostname is not None
    assert parts.port is not None
    with relay(parts.hostname, parts.port) as between:
        file.write_text(f"amqp://{USER}:{quote(password)}@127.0.0.1:{between.port}/%2F")
        yield between


def _change(file: Path, old: str, new: str) -> None:
    file.write_text(file.read_text().replace(f":{old}@", f":{new}@"))


def _said(results: list[PublishResult]) -> dict[str, int]:
    return dict(Counter(result.outcome.value for result in results))


@pytest.mark.faults
def test_a_publisher_that_was_refused_does_not_log_in_again_for_each_message(
    broker: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    with (
        _counted(broker, file, "wrong") as between,
        Publisher(SecretFile("X_FILE", file)) as publisher,
    ):
        begun = time.monotonic()
        details = [
            publisher.publish(envelopes(1), exchange=EXCHANGE, key="k")[0].detail
            for _ in range(200)
        ]
        took = time.monotonic() - begun
    # Pauses of 0.5 s, 1 s, 2 s at least.
    assert between.accepted <= 2 + took
    assert between.accepted < 20
    assert f"refused the login of '{USER}'" in details[0]
    assert f"127.0.0.1:{between.port}" in details[0]
    assert "MISSING_TABLE_BROKER_URL" in details[0]
    assert "not tried again for" in details[-1] or "403" in details[-1]
    assert "wrong" not in "".join(details)


def test_a_publisher_takes_a_new_password_over_at_once(broker: Bench, tmp_path: Path) -> None:
    """Also if it was refused several times, and so would wait for long."""
    file = tmp_path / "url"
    with (
        own_queue(broker.urls["admin"]) as queue,
        _counted(broker, file, "first") as between,
        Publisher(SecretFile("X_FILE", file)) as publisher,
    ):
        assert _said(publisher.publish(envelopes(3), exchange=EXCHANGE, key=queue)) == {
            "confirmed": 3
        }
        _set_password(broker, "second")
        between.cut()
        for _ in range(3):
            refused = publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=3)
            assert "confirmed" not in _said(refused)
        _change(file, "first", "second")
        before = between.accepted
        # It would not wait for a login that rests: the messages would be refused.
        assert _said(publisher.publish(envelopes(5), exchange=EXCHANGE, key=queue)) == {
            "confirmed": 5
        }
        assert between.accepted == before + 1


@pytest.mark.faults
def test_a_publisher_without_another_way_waits_for_the_new_password(
    broker: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    with (
        own_queue(broker.urls["admin"]) as queue,
        _counted(broker, file, "wrong") as between,
        Publisher(SecretFile("X_FILE", file), waits_for_login=True) as publisher,
    ):
        begun = time.monotonic()
        results = publisher.publish(envelopes(2), exchange=EXCHANGE, key=queue, within_s=4)
        assert time.monotonic() - begun >= 4
        assert _said(results) == {"refused": 2}
        assert "refused the login" in results[0].detail
        assert between.accepted <= 4
        _change(file, "wrong", "first")
        results = publisher.publish(envelopes(2), exchange=EXCHANGE, key=queue, within_s=60)
        assert _said(results) == {"confirmed": 2}


def test_an_address_that_is_none_stops_nothing_and_comes_back(
    broker: Bench, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    with (
        own_queue(broker.urls["admin"]) as queue,
        _counted(broker, file, "first"),
        Publisher(SecretFile("X_FILE", file), idle_max_s=0) as publisher,
    ):
        good = file.read_text()
        file.write_text("amqp://hush:hush@127.0.0.1:no-port/")
        (result,) = publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue)
        assert result.outcome == "refused"
        assert "MISSING_TABLE_BROKER_URL" in result.detail
        assert "hush" not in result.detail
        file.write_text(good)
        assert _said(publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue)) == {
            "confirmed": 1
        }


def _submission() -> Submission:
    envelope = a_match()
    return Submission(
        message_id=envelope.message_id,
        match=envelope.arguments[0],
        published_at=envelope.published_at,
        way=Way.HTTP,
        attempt=1,
    )


def test_a_token_that_is_refused_is_not_sent_again_at_once_and_blames_no_message(
    shared_lab: Any, tmp_path: Path
) -> None:
    ends = shared_lab.endpoints
    parts = urlsplit(ends.api_url)
    file = tmp_path / "token"
    file.write_text("of-yesterday")
    with (
        relay(parts.hostname, parts.port) as between,
        BackendClient(
            f"http://127.0.0.1:{between.port}", SecretFile("X_FILE", file, lines=True)
        ) as client,
    ):
        refusals, begun = [], time.monotonic()
        for _ in range(50):
            with pytest.raises(LoginRefused) as refusal:
                client.post([_submission()])
            refusals.append(str(refusal.value))
        sent = [each for each in refusals if "not tried again" not in each]
        assert len(sent) <= 2 + time.monotonic() - begun  # pauses of 0.5 s, 1 s, 2 s at least
        assert "MISSING_TABLE_API_TOKEN" in sent[0]
        assert f"127.0.0.1:{between.port}" in sent[0]
        assert "of-yesterday" not in "".join(refusals)
        file.write_text(f"{ends.api_token}\nof-yesterday\n")
        (outcome,) = client.post([_submission()])
        assert outcome.effect == "created"


@pytest.mark.slow
def test_certificates_and_authorities_are_replaced_under_an_open_client(
    shared_lab: Any, tmp_path: Path
) -> None:
    """The authority first beside the old one, then the certificate, then the old one goes."""
    old, new = Authority(tmp_path, "old"), Authority(tmp_path, "new")
    before, after = old.issue("server"), new.issue("server")
    trusted, cert, key = (tmp_path / name for name in ("trusted", "cert", "key"))
    trusted.write_text(old.root.cert.read_text())
    cert.write_text(before.cert.read_text())
    key.write_text(before.key.read_text())
    shown = Files(cert_file=cert, key_file=key)
    trust = tls.trust(Files(ca_file=trusted))
    # A connection is replaced only when it has to be, so each look is a client of its own, too.
    with https(shared_lab, shown) as url, BackendClient(url, "token", trust) as client:

        def posts() -> None:
            assert client.post([_submission()])
            with BackendClient(url, "token", trust) as another:
                assert another.post([_submission()])

        posts()
        trusted.write_text(old.root.cert.read_text() + new.root.cert.read_text())
        posts()
        cert.write_text(after.cert.read_text())
        posts()  # the key does not fit: the pair of before is shown
        key.write_text(after.key.read_text())
        posts()
        trusted.write_text("")
        posts()  # no authorities at all: those of before are trusted
        trusted.write_text(old.root.cert.read_text())
        with pytest.raises(ApiUnavailable, match="certificate verify failed"):
            client.post([_submission()])
        trusted.write_text(new.root.cert.read_text())
        posts()
