"""What is loaded is spared, and what comes later is still collected."""

from __future__ import annotations

import subprocess
import sys

_TRY = """
import gc, weakref
from system import garbage

class Node:
    def __init__(self):
        self.me = self

garbage.spare_what_is_loaded()
assert gc.get_freeze_count() > 1_000, gc.get_freeze_count()
lost = weakref.ref(Node())
assert lost() is not None
kept = [[] for _ in range(garbage.YOUNG_MAX + 1)]
assert lost() is None
"""


def test_what_is_loaded_is_spared_and_a_cycle_that_comes_later_is_not() -> None:
    subprocess.run([sys.executable, "-c", _TRY], check=True, timeout=60)
