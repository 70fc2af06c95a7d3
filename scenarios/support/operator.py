"""The operator's tool for dead letters, typed as an operator types it."""

from __future__ import annotations

import json
import sys
from typing import Any

from lab.dev.terminal import Said, Terminal
from lab.experiment.lab import Lab

_TOOL = "system.worker.dead_letters"


def dead_letters(lab: Lab, *words: str) -> Said:
    """Type `python -m system.worker.dead_letters …`, and wait for the answer."""
    env = {"MISSING_TABLE_BROKER_URL": lab.endpoints.broker_urls["operator"]}
    return Terminal(lab.folder.absolute(), env).type(sys.executable, "-m", _TOOL, *words)


def listed(lab: Lab, ids: list[str]) -> list[dict[str, Any]]:
    """What `list --json` says of these messages, in the order of their deaths."""
    said = dead_letters(lab, "list", "--json", *by_id(ids))
    return [json.loads(line) for line in said.out.splitlines()]


def by_id(ids: list[str]) -> list[str]:
    """The filter for these messages."""
    return [word for each in ids for word in ("--id", each)]
