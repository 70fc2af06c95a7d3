"""The pipeline with one guard switched off, for experiments that must then go wrong.

Each module weakens one thing and then runs the module that it is given, as itself:
`python -m system.tests.weakened.late_acks system.worker`. Nothing outside of tests starts them.
"""

from __future__ import annotations

import runpy
import sys
from typing import Any


def run_given() -> None:
    """Run the module named first on the command line, with the rest as its arguments."""
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


def replaced(owner: Any, name: str, by: Any) -> Any:
    """Put something in the place of a class's or module's own; return what was there."""
    before = getattr(owner, name)
    setattr(owner, name, by)
    return before
