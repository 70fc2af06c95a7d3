"""Waits until Prometheus sees what runs, for substrates that start a Prometheus of their own."""

from __future__ import annotations

from collections.abc import Collection

from lab.clients.prometheus.client import Prometheus
from lab.clients.prometheus.results import NoData
from lab.errors import NotWithin, SubstrateError
from lab.wait import eventually

SEEN_WITHIN_S = 60.0


def wait_until_scraped(url: str, expected: Collection[tuple[str, str]], log: str) -> None:
    """Return once everything expected has been scraped: what counts from now on is recorded.

    Args:
        url: of Prometheus.
        expected: by job and instance.
        log: where Prometheus' log is, for people.

    Raises:
        SubstrateError: something was not, or does not answer to Prometheus.
    """
    last: list[str] = []

    def look() -> bool:
        nonlocal last
        with Prometheus(url) as prometheus:
            found = {(each.job, each.instance): each for each in prometheus.targets()}
        seen = {key for key, target in found.items() if target.health == "up"}
        unseen = sorted({*expected} - seen)
        last = [
            f"{name} ({job}: {found[job, name].error or 'no scrape yet'})"
            if (job, name) in found
            else f"{name} ({job}: no target yet)"
            for job, name in unseen
        ]
        return not last

    try:
        eventually(
            "Prometheus to scrape everything",
            look,
            within_s=SEEN_WITHIN_S,
            every_s=0.1,
            tolerate=(NoData,),
        )
    except NotWithin as error:
        raise SubstrateError(
            f"Prometheus does not see {', '.join(last) or 'anything'}; {error}; log: {log}"
        ) from error
