"""The lab's own code, for containers: the league's site, the runner, and what wrappers weaken."""

from __future__ import annotations

from collections.abc import Iterator

from lab.paths import PROJECT

_FOLDERS = ("lab", "system/tests")
_LEFT_OUT = ("__pycache__",)


def sources(left_out: frozenset[str] = frozenset()) -> Iterator[tuple[str, bytes]]:
    """Every file: its path below the project's folder, and its content.

    Args:
        left_out: folders that are not needed, such as `lab/tests`.
    """
    for folder in _FOLDERS:
        for path in sorted((PROJECT / folder).rglob("*")):
            name = path.relative_to(PROJECT).as_posix()
            unwanted = any(name.startswith(f"{each}/") for each in left_out)
            if path.is_file() and not unwanted and not set(path.parts) & set(_LEFT_OUT):
                yield name, path.read_bytes()
