"""The rules files that are made from the objectives and from the topology, as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from lab.dev import missing_cases
from lab.monitoring import missing
from lab.paths import PROJECT
from lab.slo import burn_rate
from lab.slo.spec import load

RULES = PROJECT / "lab" / "monitoring" / "rules"
TESTS = RULES.with_name("tests")
_HEAD = "# Made from {source} by `make docs`. Do not edit.\n"
_OBJECTIVES = "lab/slo/slo.yaml"
_TOPOLOGY = "system/contract/topology.py"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, as a person would."""

    def ignore_aliases(self, data: Any) -> bool:
        """Write everything out, also what comes twice."""
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def pages() -> Mapping[Path, str]:
    """Every file, and what it should hold."""
    return {
        RULES / "slo.yaml": _written(_OBJECTIVES, burn_rate.rules(load())),
        RULES / "topology.yaml": _written(_TOPOLOGY, missing.rules()),
        TESTS / f"{missing.ALERT}.yaml": _written(_TOPOLOGY, missing_cases.cases()),
    }


def _written(source: str, content: Mapping[str, Any]) -> str:
    return _HEAD.format(source=source) + yaml.dump(
        content, Dumper=_Dumper, sort_keys=False, width=100
    )
