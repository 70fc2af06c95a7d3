"""The page about mutants: docs/reference/mutants.md, from the last results and the explanations."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml

from lab.paths import PROJECT

FILE = PROJECT / "docs" / "reference" / "mutants.md"
_FOLDER = Path(__file__).with_name("survivors")
_HEAD = """\
# Mutants

Would a test notice? A mutant is the code with one thing changed: a comparison, a number, an
argument, a word. Each has to be killed by a unit test, or its survival explained below. Where a
defect shows in a run, see [Sabotage](sabotage.md).

`make mutants` tries all of them; it needs no services. The SQL of the backend
(`system/backend/statements.py`) is text, which mutmut leaves alone: its defects are planted by
sabotage.

Written by `make docs` from `lab/dev/survivors/` and the last results: change it there.
"""


def page() -> str:
    """The page, as Markdown."""
    return render(measured(), explanations())


def measured() -> dict[str, Any]:
    """What the last run came to: `on`, and by module how many mutants met each fate."""
    found: dict[str, Any] = json.loads((_FOLDER / "measured.json").read_text("utf-8"))
    return found


def explanations(folder: Path = _FOLDER) -> list[dict[str, str]]:
    """Every mutant that may survive, as the files say it."""
    return [
        each
        for path in sorted(folder.glob("*.yaml"))
        for each in yaml.safe_load(path.read_text("utf-8")) or ()
    ]


def render(results: dict[str, Any], known: list[dict[str, str]]) -> str:
    """The page for these results and explanations. Pure."""
    lines = [
        _HEAD,
        f"Tried last on {results['on']}. *Words*: only text for people differs.",
        "",
        "| module | mutants | killed | words | explained | survived |",
        "|---|---|---|---|---|---|",
    ]
    for module, counted in sorted(results["modules"].items()):
        numbers = [counted[each] for each in ("killed", "words", "explained", "survived")]
        lines.append(f"| `{module}` | {sum(numbers)} | {' | '.join(map(str, numbers))} |")
    lines += ["", "## Why some survive"]
    for module in sorted({each["module"] for each in known}):
        lines += [
            "",
            f"**`{module}`**",
            "",
            "| function | is | instead of | why |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| `{each['function']}` | {_code(each['is'])} | {_code(each['was'])} | {each['why']} |"
            for each in known
            if each["module"] == module
        ]
    return "\n".join(lines) + "\n"


def _code(text: str) -> str:
    return f"`` {' '.join(text.split())} ``".replace("|", "\\|")
