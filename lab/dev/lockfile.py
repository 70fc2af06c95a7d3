"""Whether requirements.lock is in step with pyproject.toml: `python -m lab.dev.lockfile`.

Looks only, and needs no network: each requirement must have a pin, and the pin must satisfy it.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lab.paths import PROJECT


def wanted(pyproject: str) -> list[Requirement]:
    """Every requirement of the project, its extras included."""
    project = tomllib.loads(pyproject)["project"]
    lines = list(project["dependencies"])
    for extra in project["optional-dependencies"].values():
        lines += extra
    return [Requirement(line) for line in lines]


def pins(lock: str) -> dict[str, list[Version]]:
    """The pinned versions by package; several if they differ by platform or Python."""
    found: dict[str, list[Version]] = {}
    for line in lock.splitlines():
        name, separator, rest = line.partition("==")
        if separator and not line.startswith((" ", "#")):
            version = rest.split()[0].rstrip(";\\")
            found.setdefault(canonicalize_name(name.partition("[")[0]), []).append(Version(version))
    return found


def out_of_step(requirements: Iterable[Requirement], pinned: dict[str, list[Version]]) -> list[str]:
    """Say in words what the lock lacks or holds at a version that is not wanted."""
    complaints = []
    for each in requirements:
        versions = pinned.get(canonicalize_name(each.name))
        if not versions:
            complaints.append(f"{each.name} has no pin")
        complaints += [
            f"{each.name} is pinned at {version}, which is not {each.specifier}"
            for version in versions or ()
            if not each.specifier.contains(version, prereleases=True)
        ]
    return complaints


def main(project: Path = PROJECT) -> int:
    """Print what is out of step; return 1 if something is."""
    complaints = out_of_step(
        wanted((project / "pyproject.toml").read_text("utf-8")),
        pins((project / "requirements.lock").read_text("utf-8")),
    )
    for line in complaints:
        print(f"requirements.lock: {line}", file=sys.stderr)  # noqa: T201
    if complaints:
        print("requirements.lock: run `make lock`", file=sys.stderr)  # noqa: T201
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
