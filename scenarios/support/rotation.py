"""A deployment whose secrets are in files, beside the lab's own; and how an operator replaces them.

One worker, a backend that serves https, scrapers and the operator's tool: all of them get a path
instead of each secret, and nobody restarts any of them. The lab's own worker rests meanwhile.
"""

from __future__ import annotations

import secrets
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from urllib.parse import urlsplit

import redis

from lab.clients import amqp
from lab.errors import SubstrateError
from lab.experiment.lab import Lab
from lab.substrates.abilities import Finished, Program, Started
from lab.wait import eventually
from scenarios.support import certificates, mishaps
from scenarios.support.deployments import in_place_of_the_worker

WORKER_LOG, BACKEND_LOG = "worker-files", "backend-files"
READY_WITHIN_S = 120.0
_TRUSTED, _CERT, _KEY, _TOKENS = "trusted.pem", "cert.pem", "key.pem", "accepted-tokens"
_USERS = ("worker", "scraper", "operator")
Settings = dict[str, str | None]


@dataclass
class Deployment:
    """What an operator holds.

    Attributes:
        port: of the backend.
        scraper: the settings of a scraper.
        operator: those of the tool for dead letters.
    """

    lab: Lab
    port: int
    token: str
    shown: certificates.Identity
    scraper: Settings
    operator: Settings

    def put(self, file: str, *content: str | bytes) -> None:
        """Replace a file that programs read."""
        lines = (each.encode() + b"\n" if isinstance(each, str) else each for each in content)
        self.lab.programs.write(file, b"".join(lines))

    def rotate_broker_user(self, user: str) -> None:
        """First the file, then the broker; then the worker has to log in anew.

        Scrapers do so at each run anyway; and the lab's own load goes on as the scraper's user, and
        its ledger as the operator's.
        """
        url = urlsplit(self.lab.endpoints.broker_urls[user])
        password = secrets.token_urlsafe(24)
        login = f"{url.username}:{password}@{url.hostname}:{url.port}"
        self._point(user, url._replace(netloc=login).geturl())
        mishaps.set_password(self.lab, user, password)
        if user == "worker":
            mishaps.close_connections_of(self.lab, user)

    def rotate_token(self, watch: Callable[[], object]) -> None:
        """The backend accepts the new one, too; then clients send it; then the old one goes."""
        old, self.token = self.token, secrets.token_urlsafe(24)
        self.put(_TOKENS, self.token, old)
        watch()
        self.put("token", self.token)
        watch()
        self.put(_TOKENS, self.token)

    def rotate_redis(self) -> None:
        """First the file, then Redis; then every client has to log in anew."""
        ends, password = self.lab.endpoints, secrets.token_urlsafe(24)
        url = urlsplit(ends.results_url)
        self.lab.endpoints = replace(
            ends,
            results_url=url._replace(netloc=f":{password}@{url.hostname}:{url.port}").geturl(),
        )
        self.put("results", self.lab.endpoints.results_url)
        set_redis_password(ends.results_url, password)

    def rotate_certificate(self, watch: Callable[[], object]) -> None:
        """The new authority is trusted, too; then the certificate; then the old one goes."""
        old, self.shown = self.shown, certificates.issue("of today")
        self.put(_TRUSTED, old.authority, self.shown.authority)
        watch()
        self.put(_CERT, self.shown.cert)
        self.put(_KEY, self.shown.key)
        watch()
        self.put(_TRUSTED, self.shown.authority)

    def shows_the_newest_certificate(self) -> bool:
        """Whether the backend shows it to whoever connects now."""
        seen = ssl.get_server_certificate(("127.0.0.1", self.port), timeout=30)
        return seen.encode() == self.shown.cert

    def list_dead_letters(self) -> Finished:
        """Run the operator's tool."""
        return self.lab.programs.run(Program.DEAD_LETTERS, "list", settings=self.operator)

    def _point(self, user: str, url: str) -> None:
        urls = {**self.lab.endpoints.broker_urls, user: url}
        self.lab.endpoints = replace(self.lab.endpoints, broker_urls=urls)
        self.put(f"broker-{user}", url)


def is_refused(url: str) -> bool:
    """Whether the broker refuses this login."""
    try:
        with amqp.channel(url):
            return False
    except amqp.BrokerSilent as error:
        return "403" in str(error)


def set_redis_password(url: str, password: str) -> None:
    """Change it, and end every connection but this one."""
    with redis.Redis.from_url(url, socket_timeout=30) as client:
        client.config_set("requirepass", password)
        client.client_kill_filter(_type="normal", skipme=True)


@contextmanager
def deployed(lab: Lab) -> Iterator[Deployment]:
    """The deployment, in place of the lab's own worker; in the end every password is as before."""
    before, scraper_before = lab.endpoints, lab.scraper
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = int(free.getsockname()[1])
    api: Settings = {
        "MISSING_TABLE_API_URL": f"https://127.0.0.1:{port}",
        "MISSING_TABLE_CA_FILE": _TRUSTED,
        **_from_file("API_TOKEN", "token"),
    }
    made = Deployment(
        lab,
        port,
        before.api_token,
        certificates.issue("of yesterday"),
        scraper={**api, **_from_file("BROKER_URL", "broker-scraper")},
        operator=_from_file("BROKER_URL", "broker-operator"),
    )
    for user in _USERS:
        made.put(f"broker-{user}", before.broker_urls[user])
    made.put("results", before.results_url)
    made.put("token", made.token)
    made.put(_TOKENS, made.token)
    made.put("database", before.database_url)
    for file, content in zip(
        (_TRUSTED, _CERT, _KEY),
        (made.shown.authority, made.shown.cert, made.shown.key),
        strict=True,
    ):
        made.put(file, content)
    worker: Settings = {
        "MISSING_TABLE_CONCURRENCY": "2",
        **api,
        **_from_file("BROKER_URL", "broker-worker"),
        **_from_file("RESULT_URL", "results"),
    }
    lab.scraper = replace(scraper_before, settings={**scraper_before.settings, **made.scraper})
    with _backend(made), in_place_of_the_worker(lab, WORKER_LOG, worker):
        try:
            yield made
        finally:  # the lab's own programs know these only
            made.put("results", before.results_url)
            set_redis_password(lab.endpoints.results_url, _password(before.results_url))
            for user in _USERS:
                made.put(f"broker-{user}", before.broker_urls[user])
                mishaps.set_password(lab, user, _password(before.broker_urls[user]))
            lab.endpoints, lab.scraper = before, scraper_before


@contextmanager
def _backend(made: Deployment) -> Iterator[Started]:
    settings: Settings = {
        **_from_file("DATABASE_URL", "database"),
        **_from_file("API_TOKEN", _TOKENS),
        "MISSING_TABLE_CERT_FILE": _CERT,
        "MISSING_TABLE_KEY_FILE": _KEY,
    }
    serve = ("serve", "--port", str(made.port))
    with made.lab.programs.started(
        Program.BACKEND, *serve, log=BACKEND_LOG, settings=settings
    ) as backend:
        eventually(
            "the backend to serve https, or to have ended",
            lambda: backend.ended() is not None or made.shows_the_newest_certificate(),
            within_s=READY_WITHIN_S,
            tolerate=(OSError,),
        )
        if backend.ended() is not None:
            raise SubstrateError(f"the backend ended; its log is called {BACKEND_LOG}")
        yield backend


def _password(url: str) -> str:
    return urlsplit(url).password or ""


def _from_file(setting: str, file: str) -> Settings:
    name = f"MISSING_TABLE_{setting}"
    return {name: None, f"{name}_FILE": file}
