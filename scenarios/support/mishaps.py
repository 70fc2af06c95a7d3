"""What operators, senders and the league's site do to a system that is itself in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import urllib3

from lab.clients import amqp
from lab.experiment.lab import Lab
from lab.substrates.abilities import Controllable, Program
from lab.wait import eventually
from scenarios.support.saved_pages import fetch_page
from system.contract import topology
from system.contract.definitions import definitions

_KNOWN_WITHIN_S = 60.0
_DAY = re.compile(rb"\b\d\d/\d\d/\d\d\b")
_ROW = b'<div class="row table-content-row hidden-xs">'
_NO_ROWS = (
    b'<!doctype html><html><body><h1 data-league="Homegrown">Homegrown Division</h1></body></html>'
)


@contextmanager
def password_changed(lab: Lab, user: str) -> Iterator[None]:
    """For the block, the broker knows another password for `user`, and nobody told its clients.

    Connections that are open stay open at such a change, so all of them are closed once.
    """
    known = unquote(urlsplit(lab.endpoints.broker_urls[user]).password or "")
    set_password(lab, user, f"not {known}")
    try:
        # A connection that is new is listed, and so can be closed, only after some seconds.
        eventually(
            f"the connections of {user} to be closed",
            lambda: lab.endpoints.management.close_connections(spare=amqp.CONNECTION_NAME),
            within_s=_KNOWN_WITHIN_S,
        )
        yield
    finally:
        set_password(lab, user, known)


def set_password(lab: Lab, user: str, password: str) -> None:
    """Change the password of a user of the broker; its connections stay open."""
    path = f"users/{quote(user, safe='')}"
    tags = lab.endpoints.management.get(path)["tags"]
    lab.endpoints.management.call("PUT", path, {"password": password, "tags": tags})


def post_with_a_wrong_token(lab: Lab) -> None:
    """Ask the API to store nothing, with a token that it does not know."""
    answer = urllib3.request(
        "POST",
        f"{lab.endpoints.api_url}/api/matches",
        json=[],
        headers={"Authorization": "Bearer of-yesterday"},
        timeout=30.0,
        retries=False,
    )
    assert answer.status == 403, answer.data


def close_connections_of(lab: Lab, user: str) -> None:
    """Close every connection of a user of the broker, as soon as it is known."""
    assert isinstance(lab.substrate, Controllable)
    lab.substrate.control_broker("close_all_user_connections", user, "its password was changed")


@contextmanager
def queue_deleted(lab: Lab, queue: str) -> Iterator[None]:
    """For the block, one queue of the topology is gone, and its binding with it."""
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as channel:
        channel.queue_delete(queue)
    try:
        yield
    finally:
        lab.endpoints.management.call("POST", "definitions", definitions([]))


@contextmanager
def forgotten_queue(lab: Lab, queue: str, message: bytes) -> Iterator[None]:
    """For the block, there is a queue that nobody consumes, and a message in it."""
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as channel:
        channel.queue_declare(queue, durable=True)
        channel.basic_publish("", queue, message)
    try:
        yield
    finally:
        with amqp.channel(lab.endpoints.broker_urls["admin"]) as channel:
            channel.queue_delete(queue)


def send_without_asking(lab: Lab, message: bytes) -> None:
    """Publish as careless senders do: neither `mandatory` nor confirmed, so nobody is told."""
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as channel:
        channel.basic_publish(topology.EXCHANGE, topology.PROCESS_QUEUE, message)


def send_what_dies(lab: Lab) -> None:
    """Publish a message that no worker can read, and wait until it is a dead letter.

    Raises:
        NotWithin: the dead letters do not become more.
    """
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as channel:
        before = amqp.depth(channel, topology.DEAD_LETTER_QUEUE)
        channel.basic_publish(topology.EXCHANGE, topology.PROCESS_QUEUE, b"{}")
        eventually(
            f"more than {before} dead letters",
            lambda: amqp.depth(channel, topology.DEAD_LETTER_QUEUE) > before,
            within_s=_KNOWN_WITHIN_S,
        )


def empty(lab: Lab, *queues: str) -> None:
    """Throw away what is in these queues; those that do not exist are left out."""
    there = {queue.name for queue in topology.QUEUES}
    with amqp.channel(lab.endpoints.broker_urls["admin"]) as channel:
        for queue in there.intersection(queues):
            channel.queue_purge(queue)


def read_page_with_bad_rows(lab: Lab, moment: datetime) -> dict[str, Any]:
    """Let the scraper read a page whose rows, but for two, have no day; return what it refused."""
    page = fetch_page(lab, moment, 1)
    rows = len(_DAY.findall(page))
    lab.programs.write("bad-rows.html", _DAY.sub(b"soon", page, count=rows - 2))
    return _read(lab, "bad-rows.html")


def read_page_without_rows(lab: Lab) -> dict[str, Any]:
    """Let the scraper read a page on which there is no match, as after a change of the site."""
    lab.programs.write("no-rows.html", _NO_ROWS)
    return _read(lab, "no-rows.html")


def read_far_fewer_rows(lab: Lab, moment: datetime) -> dict[str, Any]:
    """Let the scraper read two pages, and then, at the same place, one row of each."""
    pages = [fetch_page(lab, moment, number) for number in (1, 2)]
    names = [f"schedule-{number}.html" for number in (1, 2)]
    for name, page in zip(names, pages, strict=True):
        lab.programs.write(name, page)
    before = _read(lab, *names)
    for name, page in zip(names, pages, strict=True):
        first, *rest = page.split(_ROW)
        lab.programs.write(name, first + _ROW + rest[0])
    return {"before": before["exit code"], **_read(lab, *names)}


def _read(lab: Lab, *pages: str) -> dict[str, Any]:
    words: Sequence[str] = [word for page in pages for word in ("--file", page)]
    done = lab.programs.run(Program.SCRAPER, "scrape", *words, "--json")
    return {"exit code": done.code, "said": done.stdout.strip()[:2000]}
