"""The links between roles that run through relays, as the plan asks for."""

from __future__ import annotations

from functools import partial

from lab.errors import SubstrateError
from lab.substrates.local import broker, database, results, roles
from lab.substrates.local.relay_pool import Switchboard
from lab.substrates.local.service import Ground
from lab.substrates.plan import Link

_TARGETS = {
    Link.SCRAPER_BROKER: broker.BROKER,
    Link.WORKER_BROKER: broker.BROKER,
    Link.WORKER_API: roles.API,
    Link.WORKER_RESULTS: results.RESULTS,
    Link.API_DATABASE: database.DATABASE,
}


class Links:
    """What makes a local substrate Partitionable."""

    def __init__(self) -> None:
        self._switchboard: Switchboard | None = None

    def lay(self, ground: Ground) -> None:
        """Open a relay for each link of the plan; roles that start later go through them."""
        if not ground.plan.relayed:
            return
        self._switchboard = Switchboard()
        for link in sorted(ground.plan.relayed):
            target = partial(ground.ports.__getitem__, _TARGETS[link])
            ground.ways[link] = self._switchboard.add(link, ground.free.take, target)

    def take_up(self) -> None:
        """Close every relay."""
        if self._switchboard is not None:
            self._switchboard.close()
            self._switchboard = None

    def cut(self, link: Link) -> None:
        """Close the connections, and refuse new ones."""
        self._board(link).cut(link)

    def stall(self, link: Link) -> None:
        """Let nothing pass; connections stay open."""
        self._board(link).stall(link)

    def slow(self, link: Link, *, latency_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Delay what passes, and bound its rate."""
        self._board(link).slow(link, latency_s=latency_s, bytes_per_s=bytes_per_s)

    def half_open(self, link: Link) -> None:
        """Close the callers' side, and leave the other side open."""
        self._board(link).half_open(link)

    def heal(self, link: Link) -> None:
        """Let everything pass again."""
        self._board(link).heal(link)

    def _board(self, link: Link) -> Switchboard:
        if self._switchboard is None:
            raise SubstrateError(
                f"{link} has no relay in this lab: start it with the link in Plan.relayed"
            )
        return self._switchboard
