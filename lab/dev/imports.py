"""Checks which part imports which, by the contracts in pyproject.toml: `… -m lab.dev.imports`."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lab.paths import PROJECT


def main() -> int:
    """Check, and return import-linter's exit code."""
    program = Path(sys.executable).with_name("lint-imports")
    return subprocess.run([str(program), "--no-logo"], cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
