"""A process that counts in a metrics folder until it is killed: `python -m … FOLDER`.

For each line on standard input it counts once more, and says so when it has.
"""

from __future__ import annotations

import sys
from pathlib import Path

from system.metrics.definitions import MetricFactory
from system.metrics.files import persist_in


def main(folder: Path) -> None:
    """Count until the end of the input."""
    with persist_in(folder):
        factory = MetricFactory()
        things = factory.counter("things", "Things", {"kind": ("good", "bad")})
        seconds = factory.histogram("thing_seconds", "Their times")
        busy = factory.gauge("busy", "Whether it works", multiprocess_mode="livesum")
        latest = factory.gauge("latest", "The latest", multiprocess_mode="mostrecent")
        greatest = factory.gauge("greatest", "The greatest", multiprocess_mode="max")
    for count, _ in enumerate(sys.stdin, 1):
        things.labels("good").inc()
        seconds.observe(0.3)
        busy.set(1)
        latest.set(count)
        greatest.set(count)
        print(count, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
