"""How matches leave the scraper, so that a crash at any line loses nothing that was accepted.

Store and forward: every envelope is put into the outbox first, on disk; then it is sent, and only
what is confirmed leaves the outbox. What could not be sent stays there for the next run; what the
API refused for good stays too, kept aside with the reason. A way that failed several times in a
row is not used for a while, and then tried again (see `breaker`).

Two deliveries may share an outbox. They may send a message twice, under its one id, and the store's
receipt makes that harmless; neither forgets what was not sent.

    queue   RabbitMQ, confirmed; if that fails, the API; if that fails, it stays in the outbox
    http    the API, the old path; if that fails, it stays in the outbox
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from enum import StrEnum

import structlog

from system import tls
from system.client import BackendClient
from system.contract.envelope import Envelope
from system.contract.submission import BATCH_MAX, Effect, Submission, Way
from system.contract.topology import EXCHANGE, PROCESS_QUEUE
from system.errors import OutboxFull, PipelineError, SettingsError
from system.messaging.publisher import Publisher, PublishOutcome
from system.metrics.definitions import MetricFactory
from system.metrics.publishing import PublisherName
from system.scraper.breaker import Breaker
from system.scraper.metrics import ScraperMetrics
from system.scraper.outbox import Outbox
from system.settings import ScraperSettings

log = structlog.get_logger("scraper")

CONFIRM_WITHIN_S = 10.0


class Mode(StrEnum):
    """Which way is tried first."""

    QUEUE = "queue"
    HTTP = "http"


class DeliveryOutcome(StrEnum):
    """What became of an envelope.

    ACCEPTED  it is safe: confirmed, answered, or in the outbox
    REFUSED   the API understood it and refused it for good; it is kept aside in the outbox
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DeliveryResult:
    """The result of one envelope.

    Attributes:
        way: queue, http or outbox.
        detail: why it is not queue.
    """

    message_id: str
    outcome: DeliveryOutcome
    way: str
    detail: str = ""


Note = Callable[[Sequence[DeliveryResult]], None]


class Delivery:
    """Delivers envelopes in one mode; see the module's text.

    Args:
        note: called with the results of messages that had waited in the outbox.
        clock: monotonic seconds, for the circuit breakers.
        metrics: counts accepted messages, by way.
    """

    def __init__(
        self,
        mode: Mode,
        spool: Outbox,
        publisher: Publisher | None,
        client: BackendClient | None,
        *,
        note: Note = lambda _fates: None,
        clock: Callable[[], float] = time.monotonic,
        metrics: ScraperMetrics | None = None,
    ) -> None:
        self._mode = mode
        self._spool = spool
        self._publisher = publisher
        self._client = client
        self._note = note
        self._metrics = metrics or ScraperMetrics(MetricFactory())
        self._breakers = {Way.QUEUE: Breaker(clock=clock), Way.HTTP: Breaker(clock=clock)}

    def deliver(self, envelopes: Sequence[Envelope]) -> list[DeliveryResult]:
        """Put every envelope into the outbox, and send it if a way is open.

        If the outbox is full, what waits there is sent first, to make room.

        Returns:
            One result for each envelope, in order.

        Raises:
            OutboxFull: no room could be made; nothing was accepted.
            Unavailable: the outbox's file failed.
        """
        try:
            self._spool.put(envelopes)
        except OutboxFull:
            self.drain()
            self._spool.put(envelopes)
        results = self._send(envelopes)
        self._put_away(results)
        self._metrics.accepted(_ways(results), to_queue=self._mode is Mode.QUEUE)
        return results

    def drain(self, chunk: int = 200) -> list[DeliveryResult]:
        """Send what waits in the outbox, oldest first; stop at the first chunk that stays.

        Returns:
            What was sent or refused; `note` gets it as well, chunk by chunk.

        Raises:
            Unavailable: the outbox's file failed.
        """
        drained: list[DeliveryResult] = []
        while waiting := self._spool.head(chunk):
            results = self._send(waiting)
            gone = [result for result in results if result.way != "outbox"]
            self._put_away(gone)
            self._metrics.drained(_ways(gone))
            self._note(gone)
            drained += gone
            if len(gone) < len(waiting):
                break
        return drained

    def _put_away(self, results: Sequence[DeliveryResult]) -> None:
        """Remove what was sent from the outbox; keep what was refused aside in it."""
        refused = {
            result.message_id: result.detail for result in results if result.outcome == "refused"
        }
        if refused:
            self._spool.refuse(refused)
        self._spool.discard(
            [e.message_id for e in results if e.way != "outbox" and e.message_id not in refused]
        )

    def _send(self, envelopes: Sequence[Envelope]) -> list[DeliveryResult]:
        results: dict[str, DeliveryResult] = {}
        why: dict[str, str] = {}
        ways = (Way.QUEUE, Way.HTTP) if self._mode is Mode.QUEUE else (Way.HTTP,)
        for way in ways:
            rest = [envelope for envelope in envelopes if envelope.message_id not in results]
            if rest and self._breakers[way].lets_through:
                attempt = self._by_queue if way is Way.QUEUE else self._by_http
                for result in attempt(rest):
                    if result.way == "outbox":
                        why[result.message_id] = result.detail
                    else:
                        results[result.message_id] = result
        return [
            results.get(envelope.message_id)
            or DeliveryResult(
                envelope.message_id,
                DeliveryOutcome.ACCEPTED,
                "outbox",
                why.get(
                    envelope.message_id, "no way was tried: each had failed several times in a row"
                ),
            )
            for envelope in envelopes
        ]

    def _by_queue(self, envelopes: Sequence[Envelope]) -> list[DeliveryResult]:
        if self._publisher is None:
            return []
        results = self._publisher.publish(
            envelopes, exchange=EXCHANGE, key=PROCESS_QUEUE, within_s=CONFIRM_WITHIN_S
        )
        failed = [result for result in results if result.outcome is not PublishOutcome.CONFIRMED]
        if failed:
            self._breakers[Way.QUEUE].failed()
            log.warning("not confirmed", count=len(failed), detail=failed[0].detail)
        else:
            self._breakers[Way.QUEUE].succeeded()
        return [
            DeliveryResult(result.message_id, DeliveryOutcome.ACCEPTED, "queue")
            if result.outcome is PublishOutcome.CONFIRMED
            else DeliveryResult(
                result.message_id, DeliveryOutcome.ACCEPTED, "outbox", result.detail
            )
            for result in results
        ]

    def _by_http(self, envelopes: Sequence[Envelope]) -> list[DeliveryResult]:
        if self._client is None:
            return []
        delivered: list[DeliveryResult] = []
        for start in range(0, len(envelopes), BATCH_MAX):
            batch = envelopes[start : start + BATCH_MAX]
            try:
                outcomes = self._client.post([_submission(envelope) for envelope in batch])
            except PipelineError as error:
                self._breakers[Way.HTTP].failed()
                log.warning("not answered", count=len(batch), detail=str(error))
                return [
                    *delivered,
                    *(
                        DeliveryResult(
                            envelope.message_id, DeliveryOutcome.ACCEPTED, "outbox", str(error)
                        )
                        for envelope in envelopes[start:]
                    ),
                ]
            self._breakers[Way.HTTP].succeeded()
            delivered += [
                DeliveryResult(
                    outcome.message_id, DeliveryOutcome.REFUSED, "http", str(outcome.violations)
                )
                if outcome.effect is Effect.INVALID
                else DeliveryResult(outcome.message_id, DeliveryOutcome.ACCEPTED, "http")
                for outcome in outcomes
            ]
        return delivered


def _ways(results: Sequence[DeliveryResult]) -> list[str]:
    """The way of each message that was accepted."""
    return [result.way for result in results if result.outcome is DeliveryOutcome.ACCEPTED]


def _submission(envelope: Envelope) -> Submission:
    return Submission(
        message_id=envelope.message_id,
        match=envelope.arguments[0],
        published_at=envelope.published_at,
        way=Way.HTTP,
    )


@contextmanager
def open_delivery(
    settings: ScraperSettings,
    mode: Mode,
    spool: Outbox,
    metrics: ScraperMetrics,
    note: Note = lambda _fates: None,
) -> Iterator[Delivery]:
    """Open what `mode` needs.

    Raises:
        SettingsError: the mode's first way has no address, or a certificate cannot be read.
    """
    trust = tls.trust(settings)
    with ExitStack() as stack:
        publisher = client = None
        if mode is Mode.QUEUE:
            if settings.broker_url is None:
                raise SettingsError("MISSING_TABLE_BROKER_URL is not set; mode queue needs it")
            publisher = stack.enter_context(
                Publisher(
                    settings.broker_url,
                    name=PublisherName.SCRAPER,
                    trust=trust,
                    metrics=metrics.publisher,
                )
            )
        if settings.api_url is not None and settings.api_token is not None:
            client = stack.enter_context(BackendClient(settings.api_url, settings.api_token, trust))
        elif mode is Mode.HTTP:
            raise SettingsError(
                "MISSING_TABLE_API_URL and MISSING_TABLE_API_TOKEN are not set;"
                " mode http needs them"
            )
        yield Delivery(mode, spool, publisher, client, note=note, metrics=metrics)
