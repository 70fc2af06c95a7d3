"""Whether the lock files are in step with pyproject.toml: `python -m lab.dev.lockfile`.

Looks only, and needs no network: each requirement must have a pin, and the pin must satisfy it.
The extras of `APART` have lock files of their own, which must agree with the other one: all are
installed into one environment. `… lockfile extras` prints the names of the other extras.
The lock of an image (system/requirements.lock, load/requirements.lock) must be a part of it, with
all that is needed there.
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from lab.paths import PROJECT

LOCK = "requirements.lock"
IMAGES: Mapping[str, Sequence[str]] = {
    "system/requirements.lock": (),
    "load/requirements.lock": ("lab", "load"),
}
"""The lock file of each image, and the extras that are in it."""
APART = {name: f"requirements-{name}.lock" for name in ("bench", "browser", "mutants")}
"""The extras that only some commands install, and the lock file of each."""


def extras(pyproject: str) -> list[str]:
    """The names of the extras that the set-up installs."""
    return [
        name
        for name in tomllib.loads(pyproject)["project"]["optional-dependencies"]
        if name not in APART
    ]


def wanted(pyproject: str, chosen: Iterable[str] | None = None) -> list[Requirement]:
    """Every requirement of the project with these extras; None: with those of the set-up."""
    project = tomllib.loads(pyproject)["project"]
    lines = list(project["dependencies"])
    for name in extras(pyproject) if chosen is None else chosen:
        lines += project["optional-dependencies"][name]
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
    """Say in words what the lock lacks or holds at a version that is not wanted.

    Several requirements of one package that all have markers are alternatives, for one Python or
    another: each needs a pin, and each pin one of them.
    """
    complaints = []
    by_name: dict[str, list[Requirement]] = {}
    for each in requirements:
        by_name.setdefault(canonicalize_name(each.name), []).append(each)
    for name, given in by_name.items():
        versions = pinned.get(name, [])
        if not versions:
            complaints.append(f"{given[0].name} has no pin")
        elif len(given) > 1 and all(each.marker for each in given):
            complaints += _of_alternatives(given, versions)
        else:
            complaints += [
                f"{each.name} is pinned at {version}, which is not {each.specifier}"
                for each in given
                for version in versions
                if not _is_of(version, each)
            ]
    return complaints


def _of_alternatives(given: list[Requirement], versions: list[Version]) -> list[str]:
    unwanted = [version for version in versions if not any(_is_of(version, each) for each in given)]
    lacking = [each for each in given if not any(_is_of(version, each) for version in versions)]
    return [
        *(f"{given[0].name} is pinned at {each}, which nothing asks for" for each in unwanted),
        *(f"{each.name} has no pin that is {each.specifier}" for each in lacking),
    ]


def _is_of(version: Version, requirement: Requirement) -> bool:
    return requirement.specifier.contains(version, prereleases=True)


def disagreeing(pinned: dict[str, list[Version]], other: dict[str, list[Version]]) -> list[str]:
    """Say which packages two lock files pin at different versions."""
    return [
        f"{name} is pinned at {', '.join(map(str, versions))}, in {LOCK} at "
        f"{', '.join(map(str, other[name]))}"
        for name, versions in pinned.items()
        if not set(versions) <= set(other.get(name, versions))
    ]


def not_part_of(whole: str, part: str) -> list[str]:
    """Say in words what is pinned in `part`, and not so in `whole`: two locks, as text.

    On which platforms a package is needed may differ with what needs it.
    """
    known = {line.split()[0] for line in whole.splitlines() if "==" in line}
    asked = [line.split()[0] for line in part.splitlines() if "==" in line]
    return [f"{each} is not pinned so in {LOCK}" for each in asked if each not in known]


def main(project: Path = PROJECT, arguments: Sequence[str] = ()) -> int:
    """Print what is out of step, or the extras if asked for; return 1 if something is."""
    pyproject, whole = ((project / name).read_text("utf-8") for name in ("pyproject.toml", LOCK))
    if arguments:
        print(*extras(pyproject))  # noqa: T201
        return 0
    found = {LOCK: out_of_step(wanted(pyproject), pins(whole))}
    for lock, chosen in IMAGES.items():
        image = (project / lock).read_text("utf-8")
        found[lock] = [
            *out_of_step(wanted(pyproject, chosen), pins(image)),
            *not_part_of(whole, image),
        ]
    for extra, lock in APART.items():
        pinned = pins((project / lock).read_text("utf-8"))
        found[lock] = [
            *out_of_step(wanted(pyproject, [extra]), pinned),
            *disagreeing(pinned, pins(whole)),
        ]
    complaints = [f"{lock}: {line}" for lock, lines in found.items() for line in lines]
    for line in complaints:
        print(line, file=sys.stderr)  # noqa: T201
    if complaints:
        print("run `make lock`", file=sys.stderr)  # noqa: T201
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main(arguments=sys.argv[1:]))
