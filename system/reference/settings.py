"""The reference of all settings, from the code."""

from __future__ import annotations

from pathlib import Path

from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings

from system.settings import (
    PREFIX,
    BackendSettings,
    OperatorSettings,
    ScraperSettings,
    WorkerSettings,
)

FILE = Path("docs/reference/settings.md")

_ROLES: tuple[tuple[str, str, type[BaseSettings]], ...] = (
    ("Scraper", "`python -m system.scraper`", ScraperSettings),
    ("Worker", "`python -m system.worker`", WorkerSettings),
    ("Backend", "`python -m system.backend`", BackendSettings),
    ("Operator's tools", "`python -m system.worker.dead_letters`", OperatorSettings),
)

_HEAD = """\
# Settings

Every part of the pipeline reads its settings from the environment, once, when it starts; each
setting that is missing or wrong is named in one line, and the exit code is 2. Written by
`make docs`; a test compares it with the code.
"""


def render() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *(_part(*role) for role in _ROLES)])


def _part(title: str, command: str, settings: type[BaseSettings]) -> str:
    rows = "\n".join(
        f"| `{PREFIX}{name.upper()}` | {_default(field)} | {field.description} |"
        for name, field in settings.model_fields.items()
    )
    return f"## {title}\n\n{command}\n\n| variable | default | meaning |\n|---|---|---|\n{rows}\n"


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "must be set"
    return "not set" if field.default is None else f"`{field.default}`"
