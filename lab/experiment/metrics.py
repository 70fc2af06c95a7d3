"""The lab's own metrics for Prometheus: which faults are active, and what the ledger has seen.

So one plot shows cause and effect, and counts of two independent sources can be compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Gauge, start_http_server
from prometheus_client.core import GaugeMetricFamily, Metric

from lab.faults import registry

HOST = "127.0.0.1"
JOB = "lab"


class LabMetrics:
    """The metrics of one run of the lab.

    Args:
        counts: gives the number of messages in each state, now.
    """

    def __init__(self, counts: Callable[[], Mapping[str, int]]) -> None:
        self.registry = CollectorRegistry()
        self._faults = Gauge(
            "missing_table_lab_fault_active",
            "Whether the lab breaks the system in this way now",
            ["fault"],
            registry=self.registry,
        )
        for name in registry.known():
            self._faults.labels(name)
        self._counts = counts
        self.registry.register(self)

    @contextmanager
    def active(self, name: str) -> Iterator[None]:
        """Show a fault as active for the block."""
        gauge = self._faults.labels(name)
        with gauge.track_inprogress():
            yield

    @contextmanager
    def served(self) -> Iterator[str]:
        """Serve the metrics for the block; gives `host:port`."""
        server, thread = start_http_server(0, HOST, self.registry)
        try:
            yield f"{HOST}:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def collect(self) -> Iterable[Metric]:
        """What the ledger has seen, for prometheus_client."""
        family = GaugeMetricFamily(
            "missing_table_lab_messages", "Messages that the ledger has seen", labels=["state"]
        )
        for state, count in self._counts().items():
            family.add_metric([state], count)
        yield family
