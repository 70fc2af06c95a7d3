"""Every notebook runs against a live lab, and what is checked in shows what it showed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from lab.dev import run_notebooks
from lab.dev.terminal import Terminal
from lab.errors import LabError
from lab.paths import PROJECT

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a lab is up that notebooks can use, one after the other."""
    terminal = Terminal(tmp_path_factory.mktemp("notebooks"))
    try:
        terminal.lab("up", "--breakable", "--matches", "40", "--seed", "7", within_s=120)
        yield terminal.folder
    finally:
        terminal.lab("down")


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(240)
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_and_shows_what_the_page_shows(path: Path, folder: Path) -> None:
    kept, seen = nbformat.read(path, as_version=4), run_notebooks.run(path, folder)
    assert [_kinds(cell) for cell in seen.cells] == [_kinds(cell) for cell in kept.cells]
    assert "started for this notebook" not in str(seen)


@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(240)
def test_where_no_lab_is_up_a_notebook_starts_its_own(tmp_path: Path) -> None:
    seen = run_notebooks.run(NOTEBOOKS[0], tmp_path)
    assert "started for this notebook" in str(seen)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_can_be_read_without_running_it(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown) or path.stem == "phase0"
    assert shown
    assert not [output for output in shown if output["output_type"] == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_for_what_they_do_is_in_the_lab(path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)
    cells = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
    assert max(len(source.splitlines()) for source in cells) <= 15
    assert not [source for source in cells if "def " in source or "class " in source]


def test_a_cell_that_fails_is_told_with_its_notebook(tmp_path: Path) -> None:
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    path = tmp_path / "broken.ipynb"
    nbformat.write(broken, path)
    with pytest.raises(LabError, match=r"(?s)broken\.ipynb: .*ZeroDivisionError"):
        run_notebooks.run(path)
    assert run_notebooks.main([str(path)]) == 1


def _kinds(cell: nbformat.NotebookNode) -> list[str]:
    """What kinds of outputs a cell has: a picture, a table, text."""
    outputs = cell.get("outputs", [])
    return [kind for output in outputs for kind in sorted(output.get("data", {"text": ""}))]
