"""Programs, files and links of a lab in containers: asks the one that runs `inside`."""

from __future__ import annotations

import base64
import http.client
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from http import HTTPStatus
from typing import Any

from lab.errors import SubstrateError
from lab.substrates.abilities import OUTBOX, Finished, Program
from lab.substrates.answering import Answer
from lab.substrates.containers.stack import SCRAPER_METRICS, WORK
from lab.substrates.protocol import Endpoints, Log

ANSWER_S = 60.0
POLL_S = 10.0
"""How long one request waits for the end of a program."""
_DRIVEN_BY_ROLE = {
    Program.SCRAPER: "scraper",
    Program.WORKER: "worker",
    Program.DEAD_LETTERS: "operator",
}
"""Whose login at the broker a program has; the backend has none."""


class Client:
    """Asks the runner; use from any thread."""

    def __init__(self, address: str, token: str) -> None:
        self._address, self._token = address, token

    def call(self, verb: str, **given: Any) -> bytes | None:
        """Let the runner do something; return its answer, None if it has none.

        Raises:
            SubstrateError: it failed, or does not answer.
        """
        connection = http.client.HTTPConnection(self._address, timeout=ANSWER_S)
        try:
            connection.request(
                "POST",
                "/",
                json.dumps({"do": verb, **given}),
                {"Authorization": f"Bearer {self._token}"},
            )
            answer = connection.getresponse()
            content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise SubstrateError(f"the lab's runner did not answer {verb}: {error!r}") from error
        finally:
            connection.close()
        if answer.status == HTTPStatus.NO_CONTENT:
            return None
        if answer.status != HTTPStatus.OK:
            said = content.decode("utf-8", "replace") or answer.reason
            raise SubstrateError(f"the lab's runner cannot {verb}: {said}")
        return content

    def ask(self, verb: str, **given: Any) -> Any:
        """As `call`, for an answer in JSON."""
        return json.loads(self.call(verb, **given) or b"null")


class Running:
    """A program that was started; see `lab.substrates.abilities.Started`."""

    def __init__(self, client: Client, number: int) -> None:
        self._client, self._number = client, number
        self._code: int | None = None

    def ended(self) -> int | None:
        """Its exit code; None while it runs."""
        return self._wait(0.0)

    def terminate(self) -> None:
        """Ask it to end."""
        self._client.call("send", number=self._number, what="TERM")

    def kill(self) -> None:
        """End it and its children at once."""
        self._client.call("send", number=self._number, what="KILL")
        self.wait(POLL_S)

    def wait(self, within_s: float) -> bool:
        """Whether it ended within this time."""
        deadline = time.monotonic() + within_s
        while self._wait(min(max(deadline - time.monotonic(), 0.0), POLL_S)) is None:
            if time.monotonic() >= deadline:
                return False
        return True

    def output(self) -> dict[str, str]:
        """What it printed on each of its outputs."""
        return dict(self._client.ask("output", number=self._number))

    def _wait(self, within_s: float) -> int | None:
        if self._code is None:
            (self._code,) = self._client.ask("wait", number=self._number, within_s=within_s)
        return self._code


class Runner:
    """Makes a substrate in containers `RunsPrograms` and `Partitionable`."""

    def __init__(self) -> None:
        self._client: Client | None = None
        self._endpoints: Endpoints | None = None

    @property
    def client(self) -> Client:
        """How to ask the runner.

        Raises:
            SubstrateError: it is not up.
        """
        if self._client is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._client

    @property
    def endpoints(self) -> Endpoints:
        """Where everything answers; the same addresses hold for programs.

        Raises:
            SubstrateError: it is not up.
        """
        if self._endpoints is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._endpoints

    def site_url(self) -> str:
        """The address of the league's site."""
        return self.endpoints.site_url

    def run(
        self,
        program: Program,
        *arguments: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
        within_s: float = 180.0,
    ) -> Finished:
        """Run a command to its end."""
        running = self._start(program, arguments, settings, wrapper, None)
        if not running.wait(within_s):
            running.kill()
            raise SubstrateError(
                f"{program} {' '.join(arguments[:1])} still ran after {within_s:g} s"
            )
        said = running.output()
        return Finished(running.ended() or 0, said["out"], said["err"])

    @contextmanager
    def started(
        self,
        program: Program,
        *arguments: str,
        log: str,
        settings: Mapping[str, str | None] = {},
        wrapper: str | None = None,
    ) -> Iterator[Running]:
        """Run a command beside the block; it is killed at the end if it still runs then."""
        running = self._start(program, arguments, settings, wrapper, log)
        try:
            yield running
        finally:
            running.kill()

    def read(self, file: str, offset: int = 0) -> bytes | None:
        """What a file holds from `offset` on, a bounded piece of it; None if there is no file."""
        return self.client.call("read", file=file, offset=offset)

    def write(self, file: str, content: bytes) -> None:
        """Make a file, or replace it in one step; only the programs' user can read it."""
        self.client.call("write", file=file, content=base64.b64encode(content).decode())

    def program_logs(self) -> list[Log]:
        """The logs of what `started` has run."""
        return [Log(name, partial(self._log, name)) for name in self.client.ask("logs")]

    def cut(self, link: str, node: int | None = None) -> None:
        """Close the connections, and refuse new ones; those of one node, if given."""
        self.client.call("cut", link=link, node=node)

    def stall(self, link: str) -> None:
        """Let nothing pass; connections stay open."""
        self.client.call("stall", link=link)

    def slow(
        self,
        link: str,
        *,
        latency_s: float = 0.0,
        bytes_per_s: float = 0.0,
        jitter_s: float = 0.0,
    ) -> None:
        """Delay what passes, and limit its rate."""
        pace = {"latency_s": latency_s, "bytes_per_s": bytes_per_s, "jitter_s": jitter_s}
        self.client.call("slow", link=link, **pace)

    def answer(self, link: str, how: Answer) -> None:
        """Answer HTTP requests in the place of those they are for."""
        self.client.call("answer", link=link, how=how)

    def half_open(self, link: str) -> None:
        """Close the callers' side, and leave the other side open."""
        self.client.call("half_open", link=link)

    def heal(self, link: str) -> None:
        """Let everything pass again."""
        self.client.call("heal", link=link)

    def _log(self, name: str) -> Iterator[bytes]:
        offset = 0
        while piece := self.client.call("log", name=name, offset=offset):
            offset += len(piece)
            yield piece

    def _start(
        self,
        program: Program,
        arguments: tuple[str, ...],
        settings: Mapping[str, str | None],
        wrapper: str | None,
        log: str | None,
    ) -> Running:
        chosen = {**usual_settings(program, self.endpoints), **settings}
        number = self.client.ask(
            "start",
            modules=[*([wrapper] if wrapper else []), str(program), *arguments],
            settings={name: value for name, value in chosen.items() if value is not None},
            log=log,
        )
        return Running(self.client, number)


def usual_settings(program: Program, ends: Endpoints) -> dict[str, str]:
    """The environment that a program usually has in a lab, passwords included."""
    if program is Program.BACKEND:
        database = {"MISSING_TABLE_DATABASE_URL": ends.database_url}
        return database | {"MISSING_TABLE_API_TOKEN": ends.api_token}
    env = {"MISSING_TABLE_BROKER_URL": ends.broker_urls[_DRIVEN_BY_ROLE[program]]}
    if program is Program.DEAD_LETTERS:
        return env
    env |= {"MISSING_TABLE_API_URL": ends.api_url, "MISSING_TABLE_API_TOKEN": ends.api_token}
    if program is Program.WORKER:
        return env | {"MISSING_TABLE_RESULT_URL": ends.results_url}
    env["MISSING_TABLE_API_URL"] = ends.scraper_api_url or ends.api_url
    env["MISSING_TABLE_OUTBOX"] = f"{WORK}/{OUTBOX}"
    if ends.prometheus_url:
        env["MISSING_TABLE_METRICS_FOLDER"] = SCRAPER_METRICS
    return env
