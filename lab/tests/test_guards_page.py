"""The list of guards names only what there is, and the page says what the list says."""

from __future__ import annotations

import ast
from itertools import chain
from pathlib import Path

from lab.paths import PROJECT
from lab.sabotage.guards import GUARDS


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
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            made[within + node.name] = node
            made |= _names(node, f"{within}{node.name}.")
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            for target in targets:
                made |= {within + e.id: node for e in ast.walk(target) if isinstance(e, ast.Name)}
    return made


def _texts(tree: ast.AST) -> set[object]:
    return {each.value for each in ast.walk(tree) if isinstance(each, ast.Constant)}


def test_every_place_and_every_test_that_is_named_exists() -> None:
    assert missing() == []


def test_a_place_a_setting_or_a_test_that_is_gone_is_named(tmp_path: Path) -> None:
    """In a copy of the worker's configuration without one of its settings, and nothing else."""
    app = tmp_path / "system" / "worker" / "app.py"
    app.parent.mkdir(parents=True)
    source = (PROJECT / "system" / "worker" / "app.py").read_text()
    app.write_text(source.replace("task_acks_late", "task_acks_soon"))
    gone = missing(tmp_path)
    assert "system/worker/app.py:configuration[task_acks_late]" in gone
    assert "system/worker/app.py:configuration[task_acks_on_failure]" not in gone
    assert "system/worker/gate.py:admit" in gone
    assert any(each.startswith("scenarios/test_sabotage.py::") for each in gone)
