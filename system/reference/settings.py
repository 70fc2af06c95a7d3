"""The reference of all settings, from the code."""

from __future__ import annotations

from pathlib import Path

from pydantic_settings import BaseSettings

from system.settings import (
    FILE_SUFFIX,
    BackendSettings,
    OperatorSettings,
    ScraperSettings,
    TopologySettings,
    WorkerSettings,
    described,
    is_secret,
)

_WORDS = ("must be set", "not set")
FILE = Path("docs/reference/settings.md")

_ROLES: tuple[tuple[str, str, type[BaseSettings]], ...] = (
    ("Scraper", "`python -m system.scraper`", ScraperSettings),
    ("Worker", "`python -m system.worker`", WorkerSettings),
    ("Backend", "`python -m system.backend`", BackendSettings),
    ("Operator's tools", "`python -m system.worker.dead_letters`", OperatorSettings),
    ("Topology", "`python -m system.contract`", TopologySettings),
)

_HEAD = """\
# Settings

Every part of the pipeline reads its settings from the environment, once, when it starts; each
setting that is missing or wrong is named in one line, and the exit code is 2. Written by
`make docs`; a test compares it with the code.

A secret may be in a file instead, as Docker and Kubernetes hand them out: `…_FILE` names the file,
and then the variable itself must not be set. The file holds what the variable would hold; white
space around it does not count. It is read again at each use, so a process takes a new secret over
without a restart: a client at its next login, a server at the next request. Files of certificates
and keys are read again likewise. A file that is missing, empty, too large (16 KiB; 1 MiB for
certificates) or no text ends a start with exit code 2, and is named with its setting. A process
that runs keeps the last good value, and says so in its log, once.
[How to replace each secret](../guides/rotate-secrets.md).
"""


def render() -> str:
    """The whole page, as Markdown."""
    return "\n".join([_HEAD, *(_part(*role) for role in _ROLES)])


def _part(title: str, command: str, settings: type[BaseSettings]) -> str:
    rows = "\n".join(
        f"| {_variable(name, is_secret(field))} |"
        f" {default if default in _WORDS else f'`{default}`'} | {meaning} |"
        for (name, default, meaning), field in zip(
            described(settings), settings.model_fields.values(), strict=True
        )
    )
    return f"## {title}\n\n{command}\n\n| variable | default | meaning |\n|---|---|---|\n{rows}\n"


def _variable(name: str, secret: bool) -> str:
    return f"`{name}`" + f" or `{name}{FILE_SUFFIX}`" * secret
