"""A network policy without one of its links. Pure.

Policies only add to what is allowed: one more that denies changes nothing as long as another one
allows. So what allows is changed.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

COMPONENT = "app.kubernetes.io/component"
Spec = dict[str, Any]


def without(spec: Spec, called: str) -> tuple[Spec, int]:
    """The policy without the rules that allow connections to a component, and how many those were.

    Args:
        called: what the chart calls it, such as `rabbitmq`.
    """
    changed = copy.deepcopy(spec)
    rules = changed.get("egress") or []
    kept = [rule for rule in rules if not _leads_to(rule, called)]
    changed["egress"] = kept
    return changed, len(rules) - len(kept)


def _leads_to(rule: Mapping[str, Any], called: str) -> bool:
    peers = rule.get("to") or []
    labels = [(each.get("podSelector") or {}).get("matchLabels") or {} for each in peers]
    return any(each.get(COMPONENT) == called for each in labels)
