"""How matches leave the scraper, so that a crash at any line loses nothing that was accepted.

Store and forward: every envelope is put into the outbox first, on disk; then it is sent, and only
what is confirmed leaves the outbox. What no way would take simply stays there for the next run;
what the API refused for good stays too, kept aside with the reason. A way that failed several times
in a row is left alone for a while, and then tried again.

Two deliveries may share an outbox. They may send a message twice, under its one id, and the store's
receipt makes that harmless; neither forgets what was not sent.

    queue   RabbitMQ, confirmed; where that fails the API; where that fails it stays in the outbox
    http    the API, the old path; where that fails it stays in the outbox
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
from system.messaging.publisher import Confirmed, Publisher
from system.metrics.making import Maker
from system.metrics.publishing import PublisherName
from system.scraper.breaker import Breaker
from system.scraper.metrics import ScraperMetrics
from system.scraper.outbox import Outbox
from system.settings import ScraperSettings

log = structlog.get_logger("scraper")

CONFIRM_WITHIN_S = 10.0


class Mode(StrEnum):
    """Which way comes first."""

    QUEUE = "queue"
    HTTP = "http"


class Accepted(StrEnum):
    """What became of an envelope.

    ACCEPTED  it is safe: confirmed, answered, or in the outbox
    REFUSED   the other side understood it and said no, for good; it is kept aside in the outbox
    """

    ACCEPTED = "accepted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Delivered:
    """The fate of one envelope: `way` is queue, http or outbox; `detail` says why, if not queue."""

    message_id: str
    outcome: Accepted
    way: str
    detail: str = ""


Note = Callable[[Sequence[Delivered]], None]


class Delivery:
    """Delivers envelopes in one mode; see the module's text.

    Args:
        note: told what became of messages that were waiting in the outbox, once it is so.
        clock: seconds that only grow, for the rests of ways that failed.
        metrics: counts what became safe, and where.
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
        self._metrics = metrics or ScraperMetrics(Maker())
        self._breakers = {Way.QUEUE: Breaker(clock=clock), Way.HTTP: Breaker(clock=clock)}

    def deliver(self, envelopes: Sequence[Envelope]) -> list[Delivered]:
        """Make every envelope safe, and send it if any way is open. In order, one each.

        Into a full outbox nothing more goes; then what waits there is sent first, to make room.

        Raises:
            OutboxFull: there was no room to be made; nothing was accepted.
            Unavailable: the outbox's file failed.
        """
        try:
            self._spool.put(envelopes)
        except OutboxFull:
            self.drain()
            self._spool.put(envelopes)
        fates = self._send(envelopes)
        self._put_away(fates)
        self._metrics.accepted(_ways(fates))
        return fates

    def drain(self, chunk: int = 200) -> list[Delivered]:
        """Send what waits in the outbox, oldest first; stop at the first chunk that stays.

        Returns:
            What was sent or refused; `note` is told of it as well, chunk by chunk.

        Raises:
            Unavailable: the outbox's file failed.
        """
        drained: list[Delivered] = []
        while waiting := self._spool.head(chunk):
            fates = self._send(waiting)
            gone = [fate for fate in fates if fate.way != "outbox"]
            self._put_away(gone)
            self._metrics.drained(_ways(gone))
            self._note(gone)
            drained += gone
            if len(gone) < len(waiting):
                break
        return drained

    def _put_away(self, fates: Sequence[Delivered]) -> None:
        """What was sent leaves the outbox; what was refused stays in it, aside."""
        refused = {each.message_id: each.detail for each in fates if each.outcome == "refused"}
        if refused:
            self._spool.refuse(refused)
        self._spool.discard(
            [e.message_id for e in fates if e.way != "outbox" and e.message_id not in refused]
        )

    def _send(self, envelopes: Sequence[Envelope]) -> list[Delivered]:
        fates: dict[str, Delivered] = {}
        why: dict[str, str] = {}
        ways = (Way.QUEUE, Way.HTTP) if self._mode is Mode.QUEUE else (Way.HTTP,)
        for way in ways:
            rest = [each for each in envelopes if each.message_id not in fates]
            if rest and self._breakers[way].lets_through:
                attempt = self._by_queue if way is Way.QUEUE else self._by_http
                for fate in attempt(rest):
                    if fate.way == "outbox":
                        why[fate.message_id] = fate.detail
                    else:
                        fates[fate.message_id] = fate
        return [
            fates.get(each.message_id)
            or Delivered(
                each.message_id,
                Accepted.ACCEPTED,
                "outbox",
                why.get(each.message_id, "every way was left alone after failures"),
            )
            for each in envelopes
        ]

    def _by_queue(self, envelopes: Sequence[Envelope]) -> list[Delivered]:
        if self._publisher is None:
            return []
        fates = self._publisher.publish(
            envelopes, exchange=EXCHANGE, key=PROCESS_QUEUE, within_s=CONFIRM_WITHIN_S
        )
        failed = [fate for fate in fates if fate.outcome is not Confirmed.CONFIRMED]
        if failed:
            self._breakers[Way.QUEUE].failed()
            log.warning("not confirmed", count=len(failed), detail=failed[0].detail)
        else:
            self._breakers[Way.QUEUE].succeeded()
        return [
            Delivered(fate.message_id, Accepted.ACCEPTED, "queue")
            if fate.outcome is Confirmed.CONFIRMED
            else Delivered(fate.message_id, Accepted.ACCEPTED, "outbox", fate.detail)
            for fate in fates
        ]

    def _by_http(self, envelopes: Sequence[Envelope]) -> list[Delivered]:
        if self._client is None:
            return []
        delivered: list[Delivered] = []
        for start in range(0, len(envelopes), BATCH_MAX):
            batch = envelopes[start : start + BATCH_MAX]
            try:
                outcomes = self._client.post([_submission(each) for each in batch])
            except PipelineError as error:
                self._breakers[Way.HTTP].failed()
                log.warning("not answered", count=len(batch), detail=str(error))
                return [
                    *delivered,
                    *(
                        Delivered(each.message_id, Accepted.ACCEPTED, "outbox", str(error))
                        for each in envelopes[start:]
                    ),
                ]
            self._breakers[Way.HTTP].succeeded()
            delivered += [
                Delivered(outcome.message_id, Accepted.REFUSED, "http", str(outcome.violations))
                if outcome.effect is Effect.INVALID
                else Delivered(outcome.message_id, Accepted.ACCEPTED, "http")
                for outcome in outcomes
            ]
        return delivered


def _ways(fates: Sequence[Delivered]) -> list[str]:
    """By which way each message went that was accepted."""
    return [fate.way for fate in fates if fate.outcome is Accepted.ACCEPTED]


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
            url = settings.broker_url.get_secret_value()
            publisher = stack.enter_context(
                Publisher(url, name=PublisherName.SCRAPER, trust=trust, metrics=metrics.publisher)
            )
        if settings.api_url is not None and settings.api_token is not None:
            token = settings.api_token.get_secret_value()
            client = stack.enter_context(BackendClient(settings.api_url, token, trust))
        elif mode is Mode.HTTP:
            raise SettingsError(
                "MISSING_TABLE_API_URL and MISSING_TABLE_API_TOKEN are not set;"
                " mode http needs them"
            )
        yield Delivery(mode, spool, publisher, client, note=note, metrics=metrics)
