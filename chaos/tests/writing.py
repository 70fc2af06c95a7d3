"""Experiments written by a test: good ones, and the same with something wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

MODULE = "chaos.tests.doings"
Part = dict[str, Any]


def part(kind: str, name: str, func: str, module: str = MODULE, **arguments: Any) -> Part:
    """One probe or action."""
    provider = {"type": "python", "module": module, "func": func, "arguments": arguments}
    return {"type": kind, "name": name, "provider": provider}


def action(name: str, func: str = "act", module: str = MODULE, **arguments: Any) -> Part:
    """One action."""
    return part("action", name, func, module, **arguments)


def probe(name: str, func: str = "yes", module: str = MODULE, **arguments: Any) -> Part:
    """One probe of a hypothesis."""
    return {**part("probe", name, func, module, **arguments), "tolerance": True}


def experiment(**changes: Any) -> Part:
    """A good experiment, with some of it changed; a part that is None is left out."""
    whole = {
        "title": "Does it hold?",
        "description": "It does.",
        "runtime": {"rollbacks": {"strategy": "always"}},
        "controls": [
            {
                "name": "lab",
                "provider": {
                    "type": "python",
                    "module": "chaos.control",
                    "arguments": {"name": "written"},
                },
            }
        ],
        "steady-state-hypothesis": {"title": "It is well", "probes": [probe("it is well")]},
        "method": [action("break it"), action("mend it")],
        "rollbacks": [action("mend what is left")],
        **changes,
    }
    return {key: value for key, value in whole.items() if value is not None}


def hypothesis(*probes: Part) -> Part:
    """A hypothesis of these probes."""
    return {"steady-state-hypothesis": {"title": "It is well", "probes": list(probes)}}


def written(folder: Path, content: Part) -> Path:
    """The experiment as a file."""
    path = folder / "experiment.yaml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path
