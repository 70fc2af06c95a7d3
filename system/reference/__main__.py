"""Writes every page of the system's reference: `python -m system.reference [--check]`.

With `--check` it only compares; exit code 1 if one is not up to date.
"""

from __future__ import annotations

import sys

from system.reference import metrics, settings

PAGES = {metrics.FILE: metrics.render, settings.FILE: settings.render}


def main(check: bool) -> int:
    """Write the pages, or compare them; return the exit code."""
    code = 0
    for file, page in PAGES.items():
        if not check:
            file.write_text(page(), "utf-8")
        elif not file.exists() or file.read_text("utf-8") != page():
            print(f"{file} is not up to date: run `make docs`", file=sys.stderr)  # noqa: T201
            code = 1
    return code


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
