"""Checks which part imports which, also in rooms that do not exist yet: `… -m lab.dev.imports`.

import-linter refuses a package that is not there. So pyproject.toml names `scenarios` only, and
`chaos` and `load`, which stand on the same floor, are held to its rules from the day they exist.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lab.paths import PROJECT

NEIGHBOUR = "scenarios"
LATER = ("chaos", "load")


def extended(options: Mapping[str, Any], there: Sequence[str]) -> dict[str, Any]:
    """Options of import-linter, with `there` beside `scenarios` wherever a list names it."""
    return {name: _extended(name, value, there) for name, value in options.items()}


def _extended(name: str, value: Any, there: Sequence[str]) -> Any:
    if not isinstance(value, list) or NEIGHBOUR not in value:
        return value
    if name == "layers":
        return [" | ".join([each, *there]) if each == NEIGHBOUR else each for each in value]
    return [*value, *there]


def configuration(folder: Path = PROJECT) -> str:
    """The file that import-linter is to read, for the packages that are in `folder`."""
    given = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    there = [name for name in LATER if (folder / name / "__init__.py").exists()]
    contracts = given.pop("contracts")
    lines = ["[tool.importlinter]", *_lines(extended(given, there))]
    for contract in contracts:
        lines += ["[[tool.importlinter.contracts]]", *_lines(extended(contract, there))]
    return "\n".join(lines) + "\n"


def _lines(options: Mapping[str, Any]) -> list[str]:
    return [f"{name} = {json.dumps(value)}" for name, value in options.items()]  # is TOML, too


def main() -> int:
    """Check, and return import-linter's exit code."""
    program = Path(sys.executable).with_name("lint-imports")
    with tempfile.NamedTemporaryFile("w", suffix=".toml", encoding="utf-8") as file:
        file.write(configuration())
        file.flush()
        command = [str(program), "--no-logo", "--config", file.name]
        return subprocess.run(command, cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
