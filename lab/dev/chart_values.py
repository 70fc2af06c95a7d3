"""A chart's values.yaml, read for its schema and its table: keys, defaults, and the comments above.

The schema refuses every key that values.yaml does not have. Its types are those of the defaults;
what is known beyond that is in `_NARROWER`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

BEGIN, END = "<!-- values: made by `make docs` -->", "<!-- end of values -->"
FREE = ("annotations", "nodeSelector", "tolerations", "pullSecrets", "extraEnv", "labels")
"""Keys whose content is Kubernetes' or the user's own."""
_ENTRY = re.compile(r"^(?P<indent> *)(?P<key>[\w-]+):")
_PASSWORD = {"pattern": "^([A-Za-z0-9._~-]{16,})?$"}
"""Signs that need no escapes in an address, and enough of them."""
_SIZE = {"pattern": "^[1-9][0-9]*(Mi|Gi|Ti)$"}
_COUNT, _SECONDS = {"minimum": 1}, {"minimum": 1, "maximum": 86400}
_NARROWER: dict[str, dict[str, Any]] = {
    "image.pullPolicy": {"enum": ["Always", "IfNotPresent", "Never"]},
    "logLevel": {"enum": ["DEBUG", "INFO", "WARNING", "ERROR"]},
    "spread": {"enum": ["ScheduleAnyway", "DoNotSchedule"]},
    "api.url": {"pattern": "^(https?://[^@]+)?$"},
    "secrets.revision": {"type": ["string", "integer"]},
    "secrets.given.database-url": {"pattern": "^(postgresql://.+)?$"},
    "rabbitmq.replicas": {"enum": [1, 3]},
    "rabbitmq.memory": {"pattern": "^[1-9][0-9]*(Mi|Gi)$"},
    "rabbitmq.diskFreeLimit": {"pattern": "^[1-9][0-9]*(MB|GB)$"},
    "rabbitmq.preStopSeconds": {"minimum": 10, "maximum": 3600},
    "rabbitmq.slackSeconds": {"minimum": 10, "maximum": 3600},
    "redis.maxmemory": {"pattern": "^[1-9][0-9]*(mb|gb)$"},
    "backend.service.type": {"enum": ["ClusterIP", "LoadBalancer", "NodePort"]},
    "worker.concurrency": {"minimum": 1, "maximum": 64},
    "worker.replicas": {"minimum": 0},
    "worker.preStopSeconds": {"minimum": 0, "maximum": 3600},
    "worker.slackSeconds": {"minimum": 5, "maximum": 3600},
    "worker.aliveWithinSeconds": {"minimum": 120, "maximum": 86400},
    "worker.extraEnv": {
        "patternProperties": {"^MISSING_TABLE_[A-Z_]+$": {"type": ["string", "number", "boolean"]}},
        "additionalProperties": False,
    },
    "scraper.urls": {"items": {"type": "string", "pattern": "^https?://"}},
    "scraper.mode": {"enum": ["queue", "http"]},
    "scraper.retries": {"minimum": 0, "maximum": 10},
    "backend.migration.retries": {"minimum": 0, "maximum": 100},
}


@dataclass(frozen=True, slots=True)
class Value:
    """One value: its path, such as `worker.replicas`, its default, and what it means."""

    path: str
    default: Any
    meaning: str


def values(text: str) -> list[Value]:
    """The values of a values.yaml, in its order; those below a free key are part of that one."""
    meanings = dict(_comments(text))
    return [
        Value(path, default, meanings.get(path, ""))
        for path, default in _leaves(yaml.safe_load(text))
    ]


def schema(text: str) -> dict[str, Any]:
    """The JSON Schema of the values."""
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "Values of messaging-platform",
        **_object(yaml.safe_load(text), "", dict(_comments(text))),
    }


def with_table(page: str, text: str) -> str:
    """`page` with the table of the values between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    rows = [
        f"| `{each.path}` | `{json.dumps(each.default, ensure_ascii=False)}` |"
        f" {each.meaning.replace('|', chr(92) + '|')} |"
        for each in values(text)
    ]
    table = "\n".join(["| value | default | meaning |", "|---|---|---|", *rows])
    return f"{before}{BEGIN}\n{table}\n{END}{after}"


def _leaves(content: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in content.items():
        at = f"{path}.{key}" if path else key
        if isinstance(value, dict) and value and not _is_resources(key):
            yield from _leaves(value, at)
        else:
            yield at, value


def _is_resources(key: str) -> bool:
    return key.lower().endswith("resources") or key == "dnsPodLabels"


def _comments(text: str) -> Iterator[tuple[str, str]]:
    """The comment right above each key, by the key's path."""
    above: list[str] = []
    parents: list[tuple[int, str]] = []
    for line in text.splitlines():
        if line.lstrip().startswith("#"):
            above.append(line.strip().lstrip("# "))
            continue
        if found := _ENTRY.match(line):
            indent = len(found["indent"])
            parents = [each for each in parents if each[0] < indent]
            parents.append((indent, found["key"]))
            if above:
                yield ".".join(key for _, key in parents), " ".join(above)
        above = []


def _object(content: dict[str, Any], path: str, meanings: dict[str, str]) -> dict[str, Any]:
    properties = {}
    for key, value in content.items():
        at = f"{path}.{key}" if path else key
        properties[key] = {
            **({"description": meanings[at]} if at in meanings else {}),
            **_type(key, value, at, meanings),
        }
    # `global` is what Helm adds for charts within charts.
    extra = {"global": {"type": "object"}} if not path else {}
    return {
        "type": "object",
        "additionalProperties": False,
        "properties": {**properties, **extra},
    }


def _type(key: str, value: Any, path: str, meanings: dict[str, str]) -> dict[str, Any]:
    narrower = _NARROWER.get(path, {})
    if isinstance(value, dict):
        free = key in FREE or _is_resources(key)
        return {"type": "object", **narrower} if free else _object(value, path, meanings)
    if isinstance(value, list):
        ports = {"items": {"type": "integer", "minimum": 1, "maximum": 65535}}
        return {"type": "array", **(ports if key.endswith("Ports") else {}), **narrower}
    if isinstance(value, bool):
        return {"type": "boolean"}
    if isinstance(value, int):
        bounds = _SECONDS if key.endswith("Seconds") else _COUNT
        return {"type": "integer", **bounds, **narrower}
    if path.startswith("secrets.given."):
        return {"type": "string", **(narrower or _PASSWORD)}
    if path.endswith("persistence.size"):
        return {"type": "string", **_SIZE}
    if key == "digest":
        return {"type": "string", "pattern": "^(sha256:[0-9a-f]{64})?$"}
    return {"type": "string", **narrower}
