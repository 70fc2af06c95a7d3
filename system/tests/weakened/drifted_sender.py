"""A scraper that has drifted from the contract; the variable WEAKENED says how, as JSON.

rename      fields that it calls by another name: {"home_score": "score_home"}
add         fields that it sends beside those of the contract: {"referee": "Jo Doe"}
version     of the contract that it says it goes by
task        that it asks for
exchange    that it publishes to
key         that it publishes under
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from system.contract import match as contract
from system.contract.envelope import CONTRACT, Envelope, wrap
from system.contract.match import Match
from system.contract.topology import EXCHANGE, PROCESS_QUEUE
from system.scraper import delivery, messages
from system.tests.weakened import run_given

_parse = contract.parse
_drift: dict[str, Any] = json.loads(os.environ["WEAKENED"])


def _parse_renamed(payload: Mapping[str, Any]) -> Match:
    names = _drift.get("rename", {})
    return _parse({names.get(name, name): value for name, value in payload.items()})


def _wrap_otherwise(match: Match, **given: Any) -> Envelope:
    wrapped = wrap(match, **given)
    args, kwargs, options = json.loads(wrapped.body)
    args[0] |= _drift.get("add", {})
    headers = {
        **wrapped.headers,
        CONTRACT: _drift.get("version", wrapped.headers[CONTRACT]),
        "task": _drift.get("task", wrapped.headers["task"]),
    }
    return replace(wrapped, body=json.dumps([args, kwargs, options]).encode(), headers=headers)


if __name__ == "__main__":
    contract.parse = _parse_renamed
    messages.wrap = _wrap_otherwise  # type: ignore[attr-defined]
    delivery.EXCHANGE = _drift.get("exchange", EXCHANGE)  # type: ignore[attr-defined]
    delivery.PROCESS_QUEUE = _drift.get("key", PROCESS_QUEUE)  # type: ignore[attr-defined]
    run_given()
