"""The pages of the phases and the guides do what they say: their examples are run."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lab.dev.terminal import Terminal
from lab.paths import PROJECT
from lab.tests import doc_examples
from lab.tests.doc_examples import PageWrong, Step

PAGES = sorted(
    page for part in ("phases", "guides") for page in (PROJECT / "docs" / part).glob("*.md")
)
PATH = os.environ["PATH"].split(os.pathsep)
PAGE = """# A page

```console runnable
$ echo one two
one   …
$ true
```

```console
$ never typed
```

```python runnable
print("hello")
```
"""


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder that has this project's programs in `.venv/bin`, as the project's own has."""
    folder = tmp_path / "here"
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, start in {"lab": "-m lab", "locust": "-m locust", "python": ""}.items():
        (programs / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {start} "$@"\n')
        (programs / name).chmod(0o755)
    environment = {
        **os.environ,
        "PATH": os.pathsep.join(each for each in PATH if each != str(Path(sys.executable).parent)),
        "PYTHONPATH": str(PROJECT),
        "COLUMNS": "100",
    }
    yield folder, environment
    for note in folder.glob(".lab/*.pid"):
        with suppress(ProcessLookupError, ValueError):
            os.kill(int(note.read_text()), signal.SIGKILL)
    Terminal(folder).lab("down")


def test_only_what_is_marked_is_typed() -> None:
    assert doc_examples.steps(PAGE) == [
        Step(4, ("bash", "-c", "echo one two"), ("one[^\\n]*",)),
        Step(6, ("bash", "-c", "true")),
        Step(14, (sys.executable, "-c", 'print("hello")\n')),
    ]


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("$ echo one\ntwo\n", r"page.md, line 2: 'echo one' showed 'one\\n'"),
        ("$ false\n", "line 2: 'false' ended with 1"),
        ("$ printf 'b\\na\\n'\na\nb\n", "which has no"),
    ],
)
def test_a_page_that_is_wrong_is_named_with_its_line(
    block: str, complaint: str, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"```console runnable\n{block}```\n")

    with pytest.raises(PageWrong, match=complaint):
        doc_examples.run(page, tmp_path, os.environ)


def test_what_is_not_seen_yet_is_typed_again(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console runnable again\n$ echo x >>n; wc -l <n\n3\n```\n")

    assert doc_examples.run(page, tmp_path, os.environ) == 1
    assert (tmp_path / "n").read_text() == "x\n" * 3


@pytest.mark.pages
@pytest.mark.services
@pytest.mark.slow
@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "page",
    [page for page in PAGES if "runnable" in page.read_text()],
    ids=lambda page: page.stem,
)
def test_every_example_does_what_its_page_says(
    page: Path, reader: tuple[Path, dict[str, str]]
) -> None:
    folder, environment = reader
    if "-f load/" in page.read_text(
        "utf-8"
    ):  # Others may show that a lab leaves their folder empty.
        (folder / "load").symlink_to(PROJECT / "load")
    assert doc_examples.run(page, folder, environment) > 0
