"""The images that a lab stands on: one place for their names and tags, which settings replace.

The names and tags of the public ones are those of the chart's values.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml

from lab.paths import PROJECT

CHART = PROJECT / "helm" / "messaging-platform"
VALUES = CHART / "values.yaml"
SYSTEM = "system"
SYSTEM_IMAGE = "messaging-platform:dev"
"""What `make image` builds."""
IN_CHART: Mapping[str, tuple[str, ...]] = {
    "rabbitmq": ("rabbitmq",),
    "redis": ("redis",),
    "postgresql": ("database",),
    "prometheus": ("prometheus",),
    "alertmanager": ("alertmanager",),
    "redis-exporter": ("exporters", "redis"),
    "postgresql-exporter": ("exporters", "postgresql"),
}
"""Where the chart's values name each public image."""


@dataclass(frozen=True, slots=True)
class Images:
    """The names of all images, tags included.

    Attributes:
        public: by part, see `IN_CHART`.
        lab: in which the lab's own parts run.
    """

    system: str
    public: Mapping[str, str]
    lab: str


def variable(part: str) -> str:
    """The setting that replaces the image of a part."""
    return f"MISSING_TABLE_IMAGE_{part.replace('-', '_').upper()}"


def names(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The image of each part, the system's own among them.

    Args:
        environment: settings in it win, see `variable`.
    """
    usual = {SYSTEM: SYSTEM_IMAGE} | {part: in_chart(*at) for part, at in IN_CHART.items()}
    return {part: environment.get(variable(part)) or name for part, name in usual.items()}


def in_chart(*at: str) -> str:
    """The image that the chart's values name at a place."""
    values = _values()
    for key in at:
        values = values[key]
    image = values["image"]
    if image["digest"]:
        return f"{image['repository']}@{image['digest']}"
    return f"{image['repository']}:{image['tag']}"


@cache
def _values() -> Any:
    return yaml.safe_load(VALUES.read_text("utf-8"))
