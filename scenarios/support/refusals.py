"""Helm's words when it refuses something, as evidence."""

from __future__ import annotations

import re


def because(said: str) -> str:
    """The reason, without what Helm says around it. Pure."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line.startswith("- at '")]
    told += [line for line in lines if line.startswith("Error: ")]
    reason = (told or lines or [""])[0].removeprefix("- ").removeprefix("Error: ")
    return re.sub(r"^(INSTALLATION|UPGRADE) FAILED: |execution error at \(.*?\): ", "", reason)
