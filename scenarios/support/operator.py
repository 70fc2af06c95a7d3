"""Runs the operator's tool for dead letters, as an operator does."""

from __future__ import annotations

import json
from typing import Any

from lab.experiment.lab import Lab
from lab.substrates.abilities import Finished, Program


def dead_letters(lab: Lab, *words: str) -> Finished:
    """Run `python -m system.worker.dead_letters …`, and wait for the answer."""
    return lab.programs.run(Program.DEAD_LETTERS, *words, settings={"COLUMNS": "200"})


def list_dead_letters(lab: Lab, ids: list[str]) -> list[dict[str, Any]]:
    """The output of `list --json` about these messages, in the order of their deaths."""
    output = dead_letters(lab, "list", "--json", *by_id(ids))
    return [json.loads(line) for line in output.stdout.splitlines()]


def by_id(ids: list[str]) -> list[str]:
    """The filter for these messages."""
    return [word for message_id in ids for word in ("--id", message_id)]
