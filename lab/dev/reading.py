"""What the files of tests say of themselves, read without running them."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping


def tests(module: ast.Module) -> Iterator[tuple[ast.FunctionDef, list[set[str]]]]:
    """The test functions of a module, with the markers that their cases can have."""
    assigned = {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    common = _marks(assigned["pytestmark"]) if "pytestmark" in assigned else set()
    for function in module.body:
        if not isinstance(function, ast.FunctionDef) or not function.name.startswith("test_"):
            continue
        own, of_cases = set(common), set[str]()
        for decorator in function.decorator_list:
            named = (node.id for node in ast.walk(decorator) if isinstance(node, ast.Name))
            lists = [assigned[name] for name in named if name in assigned]
            of_cases |= _case_marks(decorator, *lists)
            own |= _marks(decorator) - _case_marks(decorator)
        yield function, [own, own | of_cases] if of_cases else [own]


def fixtures(module: ast.Module) -> Mapping[str, tuple[str, list[str]]]:
    """The fixtures that a module makes: by name, their scope and what they need."""
    found = {}
    for function in module.body:
        if not isinstance(function, ast.FunctionDef):
            continue
        for decorator in function.decorator_list:
            call = decorator if isinstance(decorator, ast.Call) else ast.Call(decorator, [], [])
            if ast.unparse(call.func) == "pytest.fixture":
                options = {each.arg: ast.unparse(each.value) for each in call.keywords}
                scope = options.get("scope", "'function'").strip("'\"")
                # One that no test names may hold anything for all of them.
                found[function.name] = (
                    "module" if "autouse" in options else scope,
                    [each.arg for each in function.args.args],
                )
    return found


def parameters(test: ast.FunctionDef) -> list[str]:
    """The fixtures that a test names: its arguments without those that its cases give."""
    given = {
        name.strip()
        for decorator in test.decorator_list
        if isinstance(decorator, ast.Call)
        and ast.unparse(decorator.func) == "pytest.mark.parametrize"
        for names in ast.walk(decorator.args[0])
        if isinstance(names, ast.Constant)
        for name in str(names.value).split(",")
    }
    return [each.arg for each in test.args.args if each.arg not in given]


def _marks(expression: ast.AST) -> set[str]:
    """The names in `pytest.mark.<name>`."""
    return {
        node.attr
        for node in ast.walk(expression)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "pytest.mark"
    }


def _case_marks(*expressions: ast.AST) -> set[str]:
    """Those that `pytest.param(…, marks=…)` gives to single cases."""
    return {
        name
        for expression in expressions
        for node in ast.walk(expression)
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.param"
        for keyword in node.keywords
        if keyword.arg == "marks"
        for name in _marks(keyword.value)
    }
