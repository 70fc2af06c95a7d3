"""Python's garbage collector, in a process that is loaded once and then serves for long.

It looks for cycles whenever there are some hundred objects more (700 in Python 3.11), and now and
then among all that there are: some 80,000 of libraries, in a worker as in a backend, none of which
ever goes. A batch of matches makes thousands of objects, and hardly any of them in a cycle.
"""

from __future__ import annotations

import gc

YOUNG_MAX = 10_000
"""Objects more than at the last look; a few megabytes, if all of them were in cycles."""


def spare_what_is_loaded() -> None:
    """Never look again at the objects that there are now, and seldom at those that come."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG_MAX)
