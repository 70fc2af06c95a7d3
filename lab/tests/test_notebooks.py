"""Every notebook runs against a live lab, and what is checked in shows what it showed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from lab.dev.notebook_claims import CLAIMS, Claim
from lab.dev.terminal import Terminal
from lab.errors import LabError
from lab.paths import PROJECT
from lab.substrates.provider import CONTEXT

OWN = {"phase1", "phase4"}
"""Need a lab that is not as `lab up` starts one, so they start their own beside it."""
NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))
ON_A_CLUSTER = [path for path in NOTEBOOKS if path.stem == "phase2"]


def read(path: Path) -> dict[str, Any]:
    """A notebook as it is kept. The library for it takes seconds to load, for every process."""
    notebook: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return notebook


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Where a lab is up that notebooks can use, one after the other."""
    terminal = Terminal(tmp_path_factory.mktemp("notebooks"))
    try:
        terminal.lab("up", "--breakable", "--matches", "40", "--seed", "7", within_s=120)
        yield terminal.folder
    finally:
        terminal.lab("down")


@pytest.mark.pages
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    "path", [each for each in NOTEBOOKS if each not in ON_A_CLUSTER], ids=lambda path: path.stem
)
def test_a_notebook_runs_and_shows_what_the_page_shows(path: Path, folder: Path) -> None:
    from lab.dev import run_notebooks

    kept, seen = read(path), run_notebooks.run(path, folder)
    assert [_kinds(cell) for cell in seen.cells] == [_kinds(cell) for cell in kept["cells"]]
    own = "started for this notebook: the one that is up has " in str(seen)
    assert own is (path.stem in OWN), str(seen)[:2000]


@pytest.mark.kubernetes
@pytest.mark.timeout(900)
@pytest.mark.parametrize("path", ON_A_CLUSTER, ids=lambda path: path.stem)
def test_a_notebook_about_a_cluster_shows_what_the_page_shows(path: Path, tmp_path: Path) -> None:
    from lab.dev import run_notebooks

    kept, seen = read(path), run_notebooks.run(path, tmp_path)
    assert [_kinds(cell) for cell in seen.cells] == [_kinds(cell) for cell in kept["cells"]]


def test_a_notebook_about_a_cluster_is_left_out_where_none_was_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It neither fails nor is written anew; the cluster that happens to be current is not taken."""
    from lab.dev import run_notebooks

    monkeypatch.delenv(CONTEXT, raising=False)
    monkeypatch.setattr(run_notebooks, "run", lambda path: pytest.fail(f"{path} was run"))
    assert run_notebooks.main([str(path) for path in ON_A_CLUSTER]) == 0
    assert "phase2.ipynb: left out, for no cluster was named" in capsys.readouterr().out


@pytest.mark.pages
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_where_no_lab_is_up_a_notebook_starts_its_own(tmp_path: Path) -> None:
    from lab.dev import run_notebooks

    phase0 = next(path for path in NOTEBOOKS if path.stem == "phase0")
    seen = run_notebooks.run(phase0, tmp_path)
    assert "started for this notebook" in str(seen)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_page_can_be_read_without_running_it(path: Path) -> None:
    shown = [output for cell in read(path)["cells"] for output in cell.get("outputs", [])]
    assert any("image/png" in output.get("data", {}) for output in shown) or path.stem == "phase0"
    assert shown
    assert not [output for output in shown if output["output_type"] == "error"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_cells_are_short_for_what_they_do_is_in_the_lab(path: Path) -> None:
    found = read(path)["cells"]
    cells = ["".join(cell["source"]) for cell in found if cell["cell_type"] == "code"]
    assert max(len(source.splitlines()) for source in cells) <= 15
    assert not [source for source in cells if "def " in source or "class " in source]


def test_a_cell_that_fails_is_told_with_its_notebook_and_nothing_is_left_at_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat

    from lab.dev import run_notebooks

    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    broken = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("1 / 0")])
    path = tmp_path / "broken.ipynb"
    nbformat.write(broken, path)
    with pytest.raises(LabError, match=r"(?s)broken\.ipynb: .*ZeroDivisionError"):
        run_notebooks.run(path)
    assert run_notebooks.main([str(path)]) == 1
    assert list(home.iterdir()) == []


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_what_is_held_is_what_the_notebook_says(name: str) -> None:
    """A sentence that is worded anew takes its claim with it."""
    cells = read(PROJECT / "notebooks" / f"{name}.ipynb")["cells"]
    said = " ".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")
    code = {cell["id"] for cell in cells if cell["cell_type"] == "code"}
    assert [claim.sentence for claim in CLAIMS[name] if claim.sentence not in said] == []
    assert {claim.cell for claim in CLAIMS[name]} <= code


@pytest.mark.parametrize("name", sorted(CLAIMS))
def test_every_picture_has_a_claim(name: str) -> None:
    pictures = {
        cell["id"]
        for cell in read(PROJECT / "notebooks" / f"{name}.ipynb")["cells"]
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    }
    held = {claim.cell for claim in CLAIMS[name]}
    assert pictures <= held


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_each_notebook_has_something_to_try(path: Path) -> None:
    said = ["".join(cell["source"]) for cell in read(path)["cells"]]
    (tries,) = [text for text in said if text.startswith("## Try it")]
    assert tries.count("\n- ") >= 2


@pytest.mark.pages
@pytest.mark.timeout(240)
def test_a_notebook_that_does_not_show_what_it_says_is_told_and_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import nbformat

    from lab.dev import run_notebooks

    cell = nbformat.v4.new_code_cell("[1, 2]", id="shows")
    path = tmp_path / "wrong.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=[cell]), path)
    before = path.read_text()
    for held, code in (("shown == [1]", 1), ("shown == [1, 2]", 0)):
        claims = {"wrong": (Claim("shows", "there is one", held),)}
        monkeypatch.setattr(run_notebooks, "CLAIMS", claims)
        assert run_notebooks.main([str(path)]) == code
        assert (path.read_text() == before) is bool(code)
    assert [cell["id"] for cell in read(path)["cells"]] == ["shows"]


def _kinds(cell: Mapping[str, Any]) -> list[str]:
    """What kinds of outputs a cell has: a picture, a table, text."""
    outputs = cell.get("outputs", [])
    return [kind for output in outputs for kind in sorted(output.get("data", {"text": ""}))]
