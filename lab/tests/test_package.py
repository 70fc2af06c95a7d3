"""What is installed is whole: nothing is read from the folder that it was built in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from lab.paths import PROJECT

PACKAGES = ("lab", "system")
NOT_INSTALLED = {".sh", ".md", ".pyc", ".lock", ".txt", ""}
"""How a checkout is set up and the image is built (`Dockerfile`), and what is read there."""

READ_EVERYTHING = """
import sys
from pathlib import Path
import lab.checker.measures, lab.monitoring.watch, lab.report.html, lab.workload.league.pages
import system.backend.migrations, system.backend.pages, system.contract.schema
from lab.checker import check, verdict

here = Path(sys.argv[1])
for module in (lab.checker.measures, lab.report.html, system.contract.schema):
    assert Path(module.__file__).is_relative_to(here), module.__file__
document = check.as_document(result := check.undecided("nothing was run", name="installed"))
verdict.write(document, here / verdict.FILE)
assert verdict.read(here / verdict.FILE) == document
assert "nothing was run" in lab.report.html.render(result)
assert lab.checker.measures.usual_objectives()
assert lab.monitoring.watch.monitoring().rules
assert lab.workload.league.pages.STYLE
assert system.backend.pages._templates.get_template("league.html")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of an installed package, far from the checkout."""
    folder = tmp_path_factory.mktemp("package")
    source, site = folder / "source", folder / "site"
    for name in (*PACKAGES, "scenarios"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(PROJECT / name, source / name, ignore=ignored)
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(PROJECT / name, source / name)
    alone = ("--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check")
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", *alone, "-w", str(folder), str(source)],
        check=True,
        timeout=120,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as packed:
        packed.extractall(site)
    shutil.rmtree(source)
    return site


def test_every_file_that_a_program_reads_is_installed(installed: Path) -> None:
    wanted = {
        path.relative_to(PROJECT)
        for package in PACKAGES
        for path in (PROJECT / package).rglob("*")
        if path.is_file() and path.suffix not in NOT_INSTALLED
    }
    assert [path for path in sorted(wanted) if not (installed / path).is_file()] == []


def test_an_installed_lab_finds_its_schema_templates_styles_objectives_and_rules(
    installed: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-c", READ_EVERYTHING, str(installed)],
        env={**os.environ, "PYTHONPATH": str(installed)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_no_program_compiles_the_grammars_that_only_jupyter_asks_for() -> None:
    """Seconds of a processor in each program that draws or judges."""
    done = subprocess.run(
        [sys.executable, "-c", "import lab, sys, jsonschema; print('lark' in sys.modules)"],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert done.stdout == "False\n"
