"""Runs the notebooks against a live lab and keeps their outputs: `python -m lab.dev.run_notebooks`.

The pages that are checked in carry real outputs, so that they can be read where nothing runs. What
differs from run to run without meaning anything (times of cells, counts of executions) is left out.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat import NotebookNode
from traitlets.config import Config

from lab.errors import LabError
from lab.paths import PROJECT

FOLDER = PROJECT / "notebooks"
CELL_WITHIN_S = 180


def run(path: Path, folder: Path = PROJECT) -> NotebookNode:
    """Execute every cell in order, in a kernel of this environment; give the notebook with outputs.

    Args:
        folder: where the kernel works; it finds the labs that were started there.

    Raises:
        LabError: a cell failed; names the notebook and ends with the cell's own words.
    """
    notebook: NotebookNode = nbformat.read(path, as_version=4)
    # The kernel is spoken to by files of this user, not by ports that everybody could listen to.
    with tempfile.TemporaryDirectory(prefix="lab-kernel-") as private:
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
        except CellExecutionError as error:
            raise LabError(f"{path.name}: {error}") from error
    for cell in notebook.cells:
        cell.metadata.clear()
    return notebook


def main(names: Sequence[str]) -> int:
    """Run the notebooks that are named, or all, and write them with their outputs.

    Returns:
        0 if every cell went well, 1 if one failed.
    """
    failed = False
    for path in [Path(name) for name in names] or sorted(FOLDER.glob("*.ipynb")):
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
