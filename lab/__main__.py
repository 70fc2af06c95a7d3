"""`python -m lab <command>`: the same as `lab <command>`."""

from __future__ import annotations

from lab.cli.app import main

if __name__ == "__main__":
    main()
