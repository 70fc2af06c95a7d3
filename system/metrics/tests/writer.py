"""A process that counts in a metrics folder until it is killed: `python -m … FOLDER`.

For each line on standard input it counts once more, and says so when it has.
"""

from __future__ import annotations

import sys
from pathlib import Path

from system.metrics.files import kept_in
from system.metrics.making import Maker


def main(folder: Path) -> None:
    """Count until the end of the input."""
    with kept_in(folder):
        maker = Maker()
        things = maker.counter("things", "Things", {"kind": ("good", "bad")})
        seconds = maker.histogram("thing_seconds", "Their times")
        busy = maker.gauge("busy", "Whether it works", several="livesum")
        latest = maker.gauge("latest", "The latest", several="mostrecent")
        greatest = maker.gauge("greatest", "The greatest", several="max")
    for count, _ in enumerate(sys.stdin, 1):
        things.labels("good").inc()
        seconds.observe(0.3)
        busy.set(1)
        latest.set(count)
        greatest.set(count)
        print(count, flush=True)  # noqa: T201


if __name__ == "__main__":
    main(Path(sys.argv[1]))
