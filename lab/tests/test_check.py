"""What `make check` looks at, beside the other tests: before them it leaves a processor idle."""

from __future__ import annotations

import os
import subprocess

import pytest

from lab.paths import PROJECT


@pytest.mark.timeout(600)
def test_format_style_types_imports_and_lock_files_are_in_order() -> None:
    done = subprocess.run(
        ["make", "--no-print-directory", "check"],
        cwd=PROJECT,
        env={name: value for name, value in os.environ.items() if name != "MAKEFLAGS"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=590,
        check=False,
    )
    assert done.returncode == 0, done.stdout
