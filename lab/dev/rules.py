"""The rules file that is made from the objectives, as text."""

from __future__ import annotations

import yaml

from lab.paths import PROJECT
from lab.slo import burn_rate
from lab.slo.spec import load

RULES = PROJECT / "lab" / "monitoring" / "rules"
FILE = RULES / "slo.yaml"
_HEAD = "# Made from lab/slo/slo.yaml by `make docs`. Do not edit.\n"


class _Dumper(yaml.SafeDumper):
    """Writes text of several lines as a block, as a person would."""


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def render() -> str:
    """What the file should hold."""
    return _HEAD + yaml.dump(burn_rate.rules(load()), Dumper=_Dumper, sort_keys=False, width=100)
