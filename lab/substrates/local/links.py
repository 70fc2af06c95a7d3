"""The links between roles that run through relays, as the plan asks for."""

from __future__ import annotations

from functools import partial

from lab.substrates.local import broker, database, results, roles
from lab.substrates.local.service import Ground
from lab.substrates.plan import Link
from lab.substrates.relays import Relays

_TARGETS = {
    Link.SCRAPER_BROKER: broker.BROKER,
    Link.SCRAPER_API: roles.API,
    Link.WORKER_BROKER: broker.BROKER,
    Link.WORKER_API: roles.API,
    Link.WORKER_RESULTS: results.RESULTS,
    Link.API_DATABASE: database.DATABASE,
}


class Links(Relays):
    """Makes a local substrate `Partitionable`."""

    def open_links(self, ground: Ground) -> None:
        """Open the relays of each link of the plan; roles that start later go through them.

        A link to a cluster of brokers has a relay for each node, in their order.

        Raises:
            SubstrateError: no port was free.
        """
        for link in sorted(ground.plan.relayed):
            to = _TARGETS[link]
            for name in broker.names(ground) if to == broker.BROKER else (to,):
                target = partial(ground.ports.__getitem__, name)
                ground.ways[link, name] = self.open_link(link, ground.free.take, target)
