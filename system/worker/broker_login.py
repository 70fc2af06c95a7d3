"""How the consumer gets its connection: with the newest address and password, and patience.

Celery alone builds its connection from the settings of the start, and hurries to log in again when
that is refused: six times a second, each time with several lines, some of them tracebacks.
"""

from __future__ import annotations

import random
import ssl
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import structlog
from amqp.exceptions import AccessRefused, NotAllowed
from celery.worker.consumer import Consumer
from celery.worker.state import maybe_shutdown
from kombu.connection import Connection

from system.contract.addresses import addresses
from system.login import Login
from system.settings import WorkerSettings

log = structlog.get_logger("worker")

REFUSALS = (AccessRefused, NotAllowed)
"""A wrong user or password; a virtual host that does not exist, or that the user may not use."""
LOOK_AGAIN_S = 0.5
"""How often a worker that waits looks for another password, and whether it has to end."""


class PatientConsumer(Consumer):
    """Celery's consumer, but for how it connects."""

    _broker_login: BrokerLogin | None = None

    def ensure_connected(self, conn: Connection) -> Connection:
        """Connect, however long it takes; Celery calls this for each of its connections."""
        if self._broker_login is None:
            self._broker_login = BrokerLogin(self.app.settings, self._while_waiting)
        attempts_max = self.app.conf.broker_connection_max_retries
        self._broker_login.connect(conn, attempts_max)
        self.first_connection_attempt = False
        return conn

    def _while_waiting(self) -> None:
        self.app.alive.touch()
        maybe_shutdown()


class BrokerLogin:
    """Opens the connections of one consumer.

    Args:
        settings: the address, or the addresses of a cluster's nodes, are looked up in them at each
            attempt.
        stop_if_asked: called at least every second of a wait; raises if the worker has to end.
    """

    def __init__(self, settings: WorkerSettings, stop_if_asked: Callable[[], None]) -> None:
        self._settings = settings
        self._stop_if_asked = stop_if_asked
        self._login = Login(settings.broker_url)
        self._turn = random.randrange(len(addresses(settings.broker_url.get_secret_value())))

    def connect(self, connection: Connection, attempts_max: int | None = None) -> None:
        """Connect, however long it takes.

        Args:
            connection: not yet connected.
            attempts_max: so many vain attempts in a row are too many; refusals do not count.

        Raises:
            OperationalError: there were too many.
        """
        used = ""
        tried = ""

        def follow() -> None:
            nonlocal used, tried
            used = self._settings.broker_url.get_secret_value()
            nodes = addresses(used)
            node = nodes[self._turn % len(nodes)]
            if node != tried:
                tried = node
                self._point(connection, node)
            connection.alt = nodes  # kombu pauses only when all of them were tried in vain

        def vain(error: Exception, pause_s: float) -> None:
            log.error(
                "cannot connect to the broker",
                broker=connection.host,
                error=str(error),
                next_attempt_s=pause_s,
            )
            self._turn += 1
            follow()

        while True:
            follow()
            try:
                connection.ensure_connection(vain, attempts_max, callback=self._stop_if_asked)
            except REFUSALS as error:
                connection.close()
                self._turn += 1
                self._wait(connection, used, error)
            else:
                self._login.accepted()
                return

    def _point(self, connection: Connection, url: str) -> None:
        try:
            connection.switch(url)
        except Exception:  # its words might hold the password
            log.error("the broker's address is none", todo="correct MISSING_TABLE_BROKER_URL")  # noqa: TRY400
        else:
            connection.ssl = tls_options(self._settings, url) or False

    def _wait(self, connection: Connection, used: str, error: Exception) -> None:
        pause_s = self._login.refused(used)
        log.error(
            "login refused",
            user=connection.userid,
            broker=connection.host,
            virtual_host=connection.virtual_host,
            error=str(error),
            next_attempt_s=round(pause_s, 1),
            todo="give MISSING_TABLE_BROKER_URL, or its file, what the broker accepts",
        )
        while (wait_s := self._login.wait_s()) > 0:
            self._stop_if_asked()
            time.sleep(min(LOOK_AGAIN_S, wait_s))


def tls_options(settings: WorkerSettings, url: str) -> dict[str, Any] | None:
    """TLS for amqps://, as py-amqp's options, which reads the files at each connection.

    It checks the host's name because it is given one.
    """
    if not url.startswith("amqps://"):
        return None
    return {
        "cert_reqs": ssl.CERT_REQUIRED,
        "server_hostname": None,  # kombu puts the url's host here
        "ca_certs": _path(settings.ca_file),
        "certfile": _path(settings.cert_file),
        "keyfile": _path(settings.key_file),
    }


def _path(file: Path | None) -> str | None:
    return None if file is None else str(file)
