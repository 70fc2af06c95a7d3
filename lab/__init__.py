"""The laboratory: drives the pipeline, breaks it on purpose, accounts for every message.

What scenarios and programs of one's own use of it is here; a name is loaded when it is first used,
so that a command starts at once.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lab.checker.verdict import Verdict
    from lab.experiment.lab import Lab
    from lab.substrates.plan import Link, Plan, Role
    from lab.substrates.registry import endpoints
    from lab.wait import eventually

__all__ = ["Lab", "Link", "Plan", "Role", "Verdict", "endpoints", "eventually"]

_PLACES = {
    "Lab": "lab.experiment.lab",
    "Link": "lab.substrates.plan",
    "Plan": "lab.substrates.plan",
    "Role": "lab.substrates.plan",
    "Verdict": "lab.checker.verdict",
    "endpoints": "lab.substrates.registry",
    "eventually": "lab.wait",
}

# jsonschema, which charts and verdicts need, imports this where it is installed (Jupyter asks for
# it): it compiles grammars for 3.5 s of a processor, to check a format that nothing here has.
sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


def __getattr__(name: str) -> Any:
    if name not in _PLACES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)
