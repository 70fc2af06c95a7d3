"""The page of how messages fail here, what prevents it, and which test shows it.

`make docs` writes docs/reference/guards.md from `lab.sabotage.guards`. A test checks that all the
places and tests that are named there exist.
"""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path

from lab.paths import PROJECT
from lab.sabotage.guards import GUARDS

FILE = PROJECT / "docs" / "reference" / "guards.md"


def render() -> str:
    """The page, as Markdown."""
    lines = [
        "# Guards",
        "",
        "How a pipeline of Celery and RabbitMQ loses, duplicates or delays messages, what prevents",
        "it here, and the tests that show it. Run one by `.venv/bin/pytest <test>`.",
        "",
        "Written by `make docs` from `lab/sabotage/guards.py`: change it there.",
    ]
    for chapter, guards in GUARDS.items():
        lines += ["", f"## {chapter}", "", "| what happens | guard | shown by |", "|---|---|---|"]
        lines += [
            f"| {guard.finding} | {_listed(guard.places)} | {_listed(guard.tests)} |"
            for guard in guards
        ]
    return "\n".join(lines) + "\n"


def _listed(names: tuple[str, ...]) -> str:
    return "<br>".join(f"`{name}`" for name in names)


def missing(project: Path = PROJECT) -> list[str]:
    """Everything that the list names and the code does not have."""
    found: dict[str, dict[str, ast.AST]] = {}

    def names(file: str) -> dict[str, ast.AST]:
        if file not in found:
            path = project / file
            found[file] = _names(ast.parse(path.read_text())) if path.exists() else {}
        return found[file]

    gone = []
    for guard in chain.from_iterable(GUARDS.values()):
        for place in guard.places:
            file, _, symbol = place.partition(":")
            symbol, _, key = symbol.rstrip("]").partition("[")
            node = names(file).get(symbol)
            if node is None or (key and key not in _texts(node)):
                gone.append(place)
        for test in guard.tests:
            file, _, name = test.partition("::")
            if name not in names(file):
                gone.append(test)
    return gone


def _names(tree: ast.AST, within: str = "") -> dict[str, ast.AST]:
    """Functions, classes, methods and constants, by their dotted names."""
    made: dict[str, ast.AST] = {}
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            made[within + node.name] = node
            made |= _names(node, f"{within}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                made |= {within + e.id: node for e in ast.walk(target) if isinstance(e, ast.Name)}
    return made


def _texts(tree: ast.AST) -> set[object]:
    return {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)}
