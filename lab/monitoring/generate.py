"""Writes the rules that are made from the objectives: `python -m lab.monitoring.generate`.

With `--check` it only looks whether they are up to date; exit code 1 where they are not.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from lab.monitoring import burn
from lab.objectives import load

RULES = Path(__file__).with_name("rules")
FILE = RULES / "slo.yaml"
_HEAD = "# Made from lab/slo.yaml by `python -m lab.monitoring.generate`. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, as a person would."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def page() -> str:
    """What the file should hold."""
    rules: dict[str, Any] = burn.rules(load())
    return _HEAD + yaml.dump(rules, Dumper=_Dumper, sort_keys=False, width=100)


def main(arguments: Sequence[str]) -> int:
    """Write the file, or look at it; return the exit code."""
    if list(arguments) == ["--check"]:
        if FILE.exists() and FILE.read_text("utf-8") == page():
            return 0
        print(f"{FILE} is not up to date: run `make docs`", file=sys.stderr)  # noqa: T201
        return 1
    if arguments:
        print("usage: python -m lab.monitoring.generate [--check]", file=sys.stderr)  # noqa: T201
        return 2
    FILE.write_text(page(), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
