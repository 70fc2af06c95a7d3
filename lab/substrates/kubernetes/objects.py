"""What every object of a lab has, and the label by which its parts are found."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Object = dict[str, Any]

PART = "missing-table.part"
"""The label that names the part of the lab that a pod is."""


def described(
    version: str, kind: str, name: str, labels: Mapping[str, str] | None = None
) -> Object:
    """The head of an object."""
    return {
        "apiVersion": version,
        "kind": kind,
        "metadata": {"name": name, "labels": dict(labels or {})},
    }
