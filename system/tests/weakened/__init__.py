"""The pipeline with one guard switched off, for experiments that must then go wrong.

Each module weakens one thing and then runs the module that it is given, as itself:
`python -m system.tests.weakened.late_acks system.worker`. Nothing outside of tests starts them.
"""

from __future__ import annotations

import runpy
import sys


def run_given() -> None:
    """Run the module named first on the command line, with the rest as its arguments."""
    sys.argv = sys.argv[1:]
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
