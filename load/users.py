"""Locust's users: each offers one share of a load, by the queue or by HTTP.

A user is a sender, not a person: one for each process is enough, and what is offered is the
profile's rate, however many there are. The loop is open (see `lab.workload.generator`): response
times count from the moment when a message was due, so a slow broker cannot hide by slowing Locust
down.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import gevent
from locust import User, task
from locust.user.task import LOCUST_STATE_STOPPING

from lab.errors import NotWithin
from lab.history.journals import JournalWriter
from lab.workload.generator import Sender, flush, offer
from lab.workload.observations import Message, Share, attempt_of, messages
from lab.workload.queue_sender import QueueSender
from load import options
from load.http_sender import HttpSender
from load.requests import AGAIN, CONFIRM, POST, fire
from system.contract.topology import PROCESS_QUEUE

FLUSH_S = 30.0
"""How long after its load a user goes on to send what it has attempted."""
DONE = "load_share_done"
"""Sent to the process that leads once a share is offered and flushed."""


class Sending(User):
    """What both ways have in common."""

    abstract = True
    way: str
    requests: tuple[str, str]

    @task
    def offer(self) -> None:
        """Offer this user's share, once; then wait for the end."""
        shares: dict[str, Any] = (
            getattr(self.environment.parsed_options, options.SHARES, None) or {}
        )
        runner: Any = self.environment.runner
        place = shares.get("places", {}).get(runner.client_id)
        if place is not None and not shares.get("done"):
            shares["done"] = True  # this process's own copy
            self._offer(shares, place)
            runner.send_message(DONE, {"place": place})
        while not self._stopped():
            gevent.sleep(0.1)

    def sender(self) -> Sender:
        """What sends this user's messages."""
        raise NotImplementedError

    def _offer(self, shares: dict[str, Any], place: int) -> None:
        chosen = options.read(self.environment.parsed_options, self.environment.host)
        begun = datetime.fromtimestamp(shares["begin"], UTC)
        share = Share(place, len(shares["places"]))
        with JournalWriter(Path(shares["folder"]), place) as self._journal:
            sender = self.sender()
            try:
                load = messages(chosen.profile, shares["series"], begun, share)
                offer(load, sender, self._attempt, self._stopped)
                flush(sender, FLUSH_S)
            except NotWithin:
                pass  # what is left is told below
            finally:
                for message, sent in sender.left():
                    self._give_up(message, sender.trouble, sent=sent)
                sender.close()

    def _attempt(self, message: Message) -> None:
        self._journal.write("attempted", **attempt_of(message), index=message.index)

    def _accepted(self, message: Message) -> None:
        self._journal.write("accepted", message_id=message.message_id, way=self.way)
        fire(self.environment, *self.requests, _since(message))

    def _give_up(self, message: Message, why: str, *, sent: bool) -> None:
        event = "unknown" if sent else "refused"
        self._journal.write(event, message_id=message.message_id, way=self.way, detail=why)
        fire(
            self.environment,
            *self.requests,
            _since(message),
            RuntimeError(why or "not accepted in time"),
        )

    def _stopped(self) -> bool:
        shares = getattr(self.environment.parsed_options, options.SHARES, None) or {}
        return self._state == LOCUST_STATE_STOPPING or bool(shares.get("halted"))


class QueueUser(Sending):
    """Publishes to the broker, and counts a message when that has confirmed it."""

    way = options.QUEUE
    requests = (CONFIRM, PROCESS_QUEUE)

    def sender(self) -> Sender:
        """The lab's own publisher."""
        chosen = options.read(self.environment.parsed_options, self.environment.host)
        return QueueSender(chosen.target.endpoints().broker_urls["scraper"], self._accepted)


class HttpUser(Sending):
    """Posts to the API, and counts a message when that has answered."""

    way = options.HTTP
    requests = (POST, "/api/matches")

    def sender(self) -> Sender:
        """A client with as many connections as it needs."""
        chosen = options.read(self.environment.parsed_options, self.environment.host)
        ends = chosen.target.endpoints()
        return HttpSender(ends.api_url, ends.api_token, self._accepted, self._failed)

    def _failed(self, ms: float, why: str) -> None:
        fire(self.environment, AGAIN, "/api/matches", ms, RuntimeError(why))


def _since(message: Message) -> float:
    return max(0.0, time.time() - message.due.timestamp()) * 1000
