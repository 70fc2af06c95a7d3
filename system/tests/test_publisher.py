"""What the publisher says of a message is true, whatever the broker does. On a real one."""

from __future__ import annotations

import itertools
import os
import random
import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psutil
import pytest

from system.contract.topology import EXCHANGE, LEARN_QUEUE
from system.messaging.publisher import Publisher, PublishResult
from system.tests.broker import channel, control, depth, envelopes, own_queue, take_all
from system.tests.relay import Relay, relay
from system.worker.tests.bench import until

pytestmark = [pytest.mark.services, pytest.mark.timeout(300)]

BROKER = "broker"
NOT_YET_S = 60.0
FIRST_S = 2.0
IN_TIME_S = 8.0
"""For what is bounded at three seconds or less, on a busy machine: still less than the heartbeat of
ten seconds that would end it otherwise."""


@pytest.fixture
def url(shared_lab: Any) -> str:
    """The broker, as its administrator."""
    return str(shared_lab.endpoints.broker_urls["admin"])


def at(url: str, port: int) -> str:
    """The same broker by another port."""
    parts = urlsplit(url)
    login, _, _ = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))


@contextmanager
def through_relay(url: str) -> Iterator[tuple[str, Relay]]:
    """The same broker behind a relay."""
    parts = urlsplit(url)
    assert parts.hostname is not None
    assert parts.port is not None
    with relay(parts.hostname, parts.port) as between:
        yield at(url, between.port), between


def said(results: Sequence[PublishResult]) -> dict[str, int]:
    return dict(Counter(result.outcome.value for result in results))


def test_what_is_confirmed_is_in_the_queue_in_order_and_persistent(url: str) -> None:
    with own_queue(url) as queue, Publisher(url) as publisher:
        sent = envelopes(1200)
        results = publisher.publish(sent, exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        assert said(results) == {"confirmed": 1200}
        assert [result.message_id for result in results] == [each.message_id for each in sent]
        with channel(url) as on:
            _, properties, body = on.basic_get(queue, auto_ack=False)
        assert properties is not None
        assert (properties.delivery_mode, body) == (2, sent[0].body)
        assert properties.headers == dict(sent[0].headers)
        assert take_all(url, queue) == [each.message_id for each in sent]


def test_nothing_to_send_is_nothing_to_wait_for() -> None:
    with Publisher("amqp://nobody:nothing@127.0.0.1:1/%2F") as publisher:
        assert publisher.publish([], exchange=EXCHANGE, key="k") == []


def test_the_unroutable_is_refused_with_words_and_the_next_batch_goes_through(url: str) -> None:
    with own_queue(url) as queue, Publisher(url) as publisher:
        results = publisher.publish(
            envelopes(700), exchange=EXCHANGE, key="nowhere", within_s=NOT_YET_S
        )
        assert said(results) == {"refused": 700}
        assert "no queue is bound to exchange 'matches' with key 'nowhere'" in results[0].detail
        assert said(
            publisher.publish(envelopes(3), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        ) == {"confirmed": 3}


@pytest.mark.parametrize(
    ("user", "exchange", "words"),
    [("admin", "no-such-exchange", "404"), ("scraper", "matches.retry", "403")],
)
def test_a_missing_exchange_or_right_is_said_at_once_and_spoils_nothing_else(
    shared_lab: Any, url: str, user: str, exchange: str, words: str
) -> None:
    with own_queue(url) as queue, Publisher(shared_lab.endpoints.broker_urls[user]) as publisher:
        begun = time.monotonic()
        results = publisher.publish(envelopes(5), exchange=exchange, key="k", within_s=NOT_YET_S)
        assert time.monotonic() - begun < NOT_YET_S / 2
        assert "confirmed" not in said(results)
        assert all(words in result.detail for result in results)
        assert said(
            publisher.publish(envelopes(5), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        ) == {"confirmed": 5}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda url: url.replace("admin:", "admin:wrong"), "403"),
        (lambda url: url.replace("%2F", "no-such-vhost"), "530"),
    ],
)
def test_a_wrong_password_or_virtual_host_is_said_at_once(
    url: str, change: Any, words: str
) -> None:
    with Publisher(change(url)) as publisher:
        begun = time.monotonic()
        results = publisher.publish(envelopes(2), exchange=EXCHANGE, key="k", within_s=NOT_YET_S)
        assert time.monotonic() - begun < NOT_YET_S / 2
        assert said(results) == {"refused": 2}
        assert words in results[0].detail
        assert "wrong" not in results[0].detail  # the password stays out of words


def test_a_connection_lost_amid_the_handshake_is_no_wrong_password(url: str) -> None:
    with through_relay(url) as (behind, between), own_queue(url) as queue:
        between.cut_after(20)  # within what the client answers to the broker's greeting
        with Publisher(behind) as publisher:
            results = publisher.publish(
                envelopes(2), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
            )
        assert said(results) == {"confirmed": 2}
        assert between.accepted == 2


def test_a_full_queue_refuses_and_what_it_confirmed_is_in_it(url: str) -> None:
    limits = {"x-max-length": 5, "x-overflow": "reject-publish"}
    with own_queue(url, **limits) as queue, Publisher(url) as publisher:
        results = publisher.publish(envelopes(50), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        confirmed = [result.message_id for result in results if result.outcome == "confirmed"]
        assert said(results)["refused"] == 50 - len(confirmed) > 0
        assert "full queue" in next(
            result.detail for result in results if result.outcome == "refused"
        )
        assert take_all(url, queue) == confirmed


def test_a_message_that_is_no_amqp_is_refused_alone_and_shifts_no_confirm(url: str) -> None:
    sent = envelopes(3)
    sent[1] = envelopes(1, first=1, number=2**80)[0]
    with own_queue(url) as queue, Publisher(url) as publisher:
        results = publisher.publish(sent, exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        assert [result.outcome.value for result in results] == ["confirmed", "refused", "confirmed"]
        assert "cannot be written as AMQP" in results[1].detail
        assert said(
            publisher.publish([sent[1]], exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        ) == {"refused": 1}
        assert said(
            publisher.publish([sent[0]], exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        ) == {"confirmed": 1}
        assert take_all(url, queue) == ["m-0000000", "m-0000002", "m-0000000"]


@pytest.mark.faults
def test_a_blocked_connection_gives_up_in_time_with_words_and_sends_again_afterwards(
    shared_lab: Any, url: str
) -> None:
    with own_queue(url) as queue, Publisher(url) as publisher:
        publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        control(shared_lab, "set_vm_memory_high_watermark", "absolute", "1")
        try:
            until("the broker to block it", lambda: _is_blocked(publisher, queue))
            for within_s in (FIRST_S, 10.0):
                begun = time.monotonic()
                results = publisher.publish(
                    envelopes(3000, first=2), exchange=EXCHANGE, key=queue, within_s=within_s
                )
                took = time.monotonic() - begun
                if "blocks publishers" in results[-1].detail:
                    break  # else a busy machine takes longer to connect
        finally:
            control(shared_lab, "set_vm_memory_high_watermark", "absolute", "512MB")
        assert "confirmed" not in said(results)
        assert said(results)["refused"] >= 2000  # what the window held back was never sent
        assert "blocks publishers" in results[-1].detail
        assert within_s - 0.1 < took < within_s - FIRST_S + IN_TIME_S
        again = publisher.publish(
            envelopes(3000, first=2), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
        )
        assert said(again) == {"confirmed": 3000}


def _is_blocked(publisher: Publisher, queue: str) -> bool:
    """Whether the broker says so: only to a connection that publishes."""
    (result,) = publisher.publish(
        envelopes(1, first=1), exchange=EXCHANGE, key=queue, within_s=FIRST_S
    )
    return "blocks publishers" in result.detail


def test_never_more_than_the_window_is_on_its_way(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[int] = []
    pump = Publisher._pump

    def watched(self: Publisher) -> None:
        pump(self)
        if self._batch is not None:
            seen.append(len(self._batch.in_flight))

    monkeypatch.setattr(Publisher, "_pump", watched)
    with own_queue(url) as queue, Publisher(url, window=7) as publisher:
        assert said(
            publisher.publish(envelopes(100), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        ) == {"confirmed": 100}
    assert max(seen) == 7


def test_what_a_lost_connection_left_unanswered_is_sent_again_first_under_its_id(url: str) -> None:
    with through_relay(url) as (behind, between), own_queue(url) as queue:
        with Publisher(behind, window=200) as publisher:
            publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
            between.cut_after(500_000)  # in the middle of some message
            results = publisher.publish(
                envelopes(2000, first=1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
            )
        assert said(results) == {"confirmed": 2000}
        assert between.accepted == 2
        arrived = take_all(url, queue)
    wanted = [each.message_id for each in envelopes(2001)]
    assert list(dict.fromkeys(arrived)) == wanted  # the first of each, in order
    assert len(wanted) <= len(arrived) <= len(wanted) + 200
    # Nothing overtakes: where it begins again, it goes on in order from there.
    assert sum(later <= earlier for earlier, later in itertools.pairwise(arrived)) <= 1


@pytest.mark.parametrize("how", ["cut", "silence"])
def test_a_connection_that_went_stale_between_two_calls_is_replaced(url: str, how: str) -> None:
    with through_relay(url) as (behind, between), own_queue(url) as queue:
        # However short the time: idle for longer than that is too long.
        with Publisher(behind, idle_max_s=0 if how == "silence" else 60) as publisher:
            publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
            getattr(between, how)()
            results = publisher.publish(
                envelopes(2, first=1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
            )
        assert said(results) == {"confirmed": 2}
        assert between.accepted == 2


def test_a_connection_in_use_is_kept(url: str) -> None:
    with through_relay(url) as (behind, between), own_queue(url) as queue:
        with Publisher(behind, idle_max_s=60) as publisher:
            for number in range(5):
                publisher.publish(
                    envelopes(1, first=number), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
                )
        assert between.accepted == 1


def test_a_silent_broker_is_given_up_in_time_and_no_late_confirm_meets_the_next_batch(
    url: str,
) -> None:
    with (
        through_relay(url) as (behind, between),
        own_queue(url) as queue,
        Publisher(behind) as publisher,
    ):
        publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        between.silence()
        begun = time.monotonic()
        results = publisher.publish(
            envelopes(900, first=1), exchange=EXCHANGE, key=queue, within_s=1
        )
        assert 0.9 < time.monotonic() - begun < IN_TIME_S
        assert said(results) == {"unknown": 500, "refused": 400}  # the window, and the rest
        assert "no answer" in results[0].detail
        assert said(
            publisher.publish(
                envelopes(2, first=1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
            )
        ) == {"confirmed": 2}


def test_two_publishers_in_one_process_do_not_disturb_each_other(url: str) -> None:
    with own_queue(url) as queue, Publisher(url) as one, Publisher(url) as other:
        done: list[dict[str, int]] = []

        def work(publisher: Publisher, first: int) -> None:
            for number in range(5):
                batch = envelopes(100, first=first + 100 * number)
                done.append(
                    said(publisher.publish(batch, exchange=EXCHANGE, key=queue, within_s=NOT_YET_S))
                )

        threads = [threading.Thread(target=work, args=each) for each in ((one, 0), (other, 500))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=200)
        assert done == [{"confirmed": 100}] * 10
        assert sorted(take_all(url, queue)) == [each.message_id for each in envelopes(1000)]


def test_closing_is_bounded_in_every_state_and_leaves_no_socket_behind(url: str) -> None:
    # In a process of its own: the lab in this one opens and closes files as it likes.
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as apart:
        left, longest_s = apart.submit(_closed_in_every_state, url).result(timeout=200)
    assert left == 0
    assert longest_s < IN_TIME_S


def _closed_in_every_state(url: str) -> tuple[int, float]:
    """Close publishers in every state; return how many files stay open, and how long one took."""
    before, took = psutil.Process().num_fds(), []
    never = Publisher(url)
    refused = Publisher("amqp://nobody:nothing@127.0.0.1:1/%2F", rng=random.Random(1))
    assert said(refused.publish(envelopes(1), exchange=EXCHANGE, key="k", within_s=0.3)) == {
        "refused": 1
    }
    denied = Publisher(url.replace("admin:", "admin:wrong"))
    denied.publish(envelopes(1), exchange=EXCHANGE, key="k")
    with through_relay(url) as (behind, between), own_queue(url) as queue:
        used, silent, missing = (Publisher(behind) for _ in range(3))
        used.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        missing.publish(envelopes(1), exchange="no-such-exchange", key=queue)
        silent.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        between.silence()
        for publisher in (never, refused, denied, used, silent, missing):
            begun = time.monotonic()
            publisher.close()
            publisher.close()
            took.append(time.monotonic() - begun)
    with relay("127.0.0.1", urlsplit(url).port or 0) as between:
        between.cut_after(1)  # the handshake never gets anywhere
        shaking = Publisher(at(url, between.port))
        shaking.publish(envelopes(1), exchange=EXCHANGE, key="k", within_s=0.05)
        shaking.close()
    return psutil.Process().num_fds() - before, max(took)


def test_a_publisher_that_was_interrupted_is_as_good_as_new(url: str) -> None:
    """As when a task's time limit strikes while a retry is being published."""

    def strike(_number: int, _frame: object) -> None:
        raise TimeoutError("the task took too long")

    previous = signal.signal(signal.SIGUSR1, strike)
    try:
        with (
            through_relay(url) as (behind, between),
            own_queue(url) as queue,
            Publisher(behind) as publisher,
        ):
            publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
            between.silence()
            striking = threading.Thread(target=_strike_while_busy, args=(publisher,))
            striking.start()
            with pytest.raises(TimeoutError, match="too long"):
                publisher.publish(
                    envelopes(1, first=1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
                )
            striking.join()
            assert said(
                publisher.publish(
                    envelopes(5, first=1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
                )
            ) == {"confirmed": 5}
    finally:
        signal.signal(signal.SIGUSR1, previous)


def _strike_while_busy(publisher: Publisher) -> None:
    def waits() -> bool:
        batch = publisher._batch
        return batch is not None and bool(batch.in_flight)

    until("something to be on its way", waits)
    os.kill(os.getpid(), signal.SIGUSR1)


@pytest.mark.slow
@pytest.mark.timeout(420)
@pytest.mark.faults
def test_a_broker_that_dies_and_comes_back_amid_a_batch_gets_all_of_it(open_lab: Any) -> None:
    # A queue of the topology, which nobody reads here: a quorum queue that was declared a moment
    # before the broker is killed does not come back well in RabbitMQ 3.10.
    lab, queue = open_lab(workers=0), LEARN_QUEUE
    url = str(lab.endpoints.broker_urls["admin"])
    sent = envelopes(20_000)
    with Publisher(url) as publisher:
        killed: list[int] = []
        watching = threading.Event()

        def kill() -> None:
            with channel(url) as on:
                watching.set()
                deadline = time.monotonic() + 60
                while time.monotonic() < deadline:
                    count = on.queue_declare(queue, passive=True).method.message_count
                    if count >= 1000:
                        break
                    on.connection.process_data_events(time_limit=0.01)
            killed.append(count)
            lab.substrate.kill(BROKER)
            lab.substrate.start(BROKER)

        thread = threading.Thread(target=kill)
        thread.start()
        assert watching.wait(60)  # or all may be over before it looks
        results = publisher.publish(sent, exchange=EXCHANGE, key=queue, within_s=150)
        thread.join(timeout=150)
        assert len(killed) == 1
        assert killed[0] < 20_000  # it was amid the batch
        assert said(results) == {"confirmed": 20_000}
        arrived = take_all(url, queue)
    assert set(arrived) == {each.message_id for each in sent}
    assert len(arrived) <= 20_000 + 500


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_frozen_broker_leaves_unknown_what_was_sent_and_the_truth_is_known_later(
    open_lab: Any,
) -> None:
    lab = open_lab()
    url = str(lab.endpoints.broker_urls["admin"])
    with own_queue(url) as queue, Publisher(url) as publisher, Publisher(url) as stranger:
        publisher.publish(envelopes(1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S)
        lab.substrate.pause(BROKER)
        try:
            begun = time.monotonic()
            results = publisher.publish(
                envelopes(10, first=1), exchange=EXCHANGE, key=queue, within_s=2
            )
            assert said(results) == {"unknown": 10}
            results = stranger.publish(
                envelopes(10, first=11), exchange=EXCHANGE, key=queue, within_s=2
            )
            assert said(results) == {"refused": 10}  # there was not even a handshake
            assert 3.9 < time.monotonic() - begun < 2 * IN_TIME_S
        finally:
            lab.substrate.resume(BROKER)
        assert said(
            publisher.publish(
                envelopes(20, first=1), exchange=EXCHANGE, key=queue, within_s=NOT_YET_S
            )
        ) == {"confirmed": 20}
        assert depth(url, queue) >= 21
        assert set(take_all(url, queue)) == {each.message_id for each in envelopes(21)}
