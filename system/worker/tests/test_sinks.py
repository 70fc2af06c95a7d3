"""What a worker hands matches to, and what it needs for that."""

from __future__ import annotations

import subprocess
import sys


def test_a_worker_loads_no_database_driver_unless_its_sink_is_the_database() -> None:
    look = "import sys, system.worker.app; sys.exit('psycopg' in sys.modules)"
    subprocess.run([sys.executable, "-c", look], check=True, timeout=120)
