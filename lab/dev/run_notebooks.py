"""Runs the notebooks against a live lab and keeps their outputs: `python -m lab.dev.run_notebooks`.

The pages that are checked in carry real outputs, so that they can be read where nothing runs. What
differs from run to run without meaning anything (times of cells, counts of executions) is left out.
What a notebook says about its pictures is looked at, too; see `lab.dev.notebook_claims`.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError
from nbformat import NotebookNode
from traitlets.config import Config

from lab.dev.notebook_claims import CLAIMS, Claim
from lab.errors import LabError
from lab.paths import PROJECT
from lab.substrates.provider import CONTEXT

FOLDER = PROJECT / "notebooks"
CELL_WITHIN_S = 600
"""The first cell starts a lab, on a machine that may do other things as well."""
ON_A_CLUSTER = {"phase2"}
"""Install the chart on a cluster; they are left out if none was named."""
OURS = "claim"
"""Marks a cell that is no part of the notebook."""
_IPYTHON = "IPYTHONDIR"


def run(path: Path, folder: Path = PROJECT) -> NotebookNode:
    """Execute every cell in order, in a kernel of this environment; give the notebook with outputs.

    Args:
        folder: where the kernel works; it finds the labs that were started there.

    Raises:
        LabError: a cell failed, or showed something else than the notebook says; names the notebook
            and ends with the cell's own words.
    """
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    notebook.cells = [
        each
        for cell in notebook.cells
        for each in (cell, *_looking(cell, CLAIMS.get(path.stem, ())))
    ]
    # The kernel is spoken to by files of this user, not by ports that everybody could listen to.
    with (
        tempfile.TemporaryDirectory(prefix="lab-kernel-") as private,
        _ipython_at(f"{private}/ipython"),
    ):
        client = NotebookClient(
            notebook,
            config=Config({"ConnectionFileMixin": {"transport": "ipc", "ip": f"{private}/k"}}),
            timeout=CELL_WITHIN_S,
            kernel_name="python3",
            resources={"metadata": {"path": str(folder)}},
            record_timing=False,
        )
        try:
            client.execute()
        except (CellExecutionError, CellTimeoutError) as error:
            raise LabError(f"{path.name}: {error}") from error
    notebook.cells = [cell for cell in notebook.cells if OURS not in cell.metadata]
    for cell in notebook.cells:
        cell.metadata.clear()
    return notebook


@contextmanager
def _ipython_at(folder: str) -> Iterator[None]:
    """Neither does a person's own set-up of IPython change what is run, nor is one made.

    Who looks for kernels makes that folder too, in this process.
    """
    before = os.environ.get(_IPYTHON)
    os.environ[_IPYTHON] = folder
    try:
        yield
    finally:
        os.environ.pop(_IPYTHON)
        if before is not None:
            os.environ[_IPYTHON] = before


def _looking(cell: NotebookNode, claims: Sequence[Claim]) -> Iterator[NotebookNode]:
    """The cells that hold what is said about what a cell shows."""
    for claim in claims:
        if claim.cell == cell.id:
            yield nbformat.v4.new_code_cell(claim.source, metadata={OURS: True})


def main(names: Sequence[str]) -> int:
    """Run the notebooks that are named, or all, and write them with their outputs.

    Returns:
        0 if every cell went well, 1 if one failed.
    """
    failed = False
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb")):
        if path.stem in ON_A_CLUSTER and not os.environ.get(CONTEXT):
            print(f"{path.name}: left out, for no cluster was named: {CONTEXT}", flush=True)  # noqa: T201
            continue
        print(f"{path.name} …", flush=True)  # noqa: T201
        try:
            notebook = run(path)
        except LabError as error:
            print(error, file=sys.stderr)  # noqa: T201
            failed = True
        else:
            nbformat.write(notebook, path)
    return int(failed)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
