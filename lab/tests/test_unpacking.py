"""What a container has packed, and what of it is put where."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from lab.errors import SubstrateError
from lab.substrates.containers.unpacking import unpack


def _packed(*members: tuple[str, bytes | None]) -> bytes:
    """An archive of files; without content, of folders."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in members:
            about = tarfile.TarInfo(name)
            about.type = tarfile.DIRTYPE if content is None else tarfile.REGTYPE
            about.size, about.mode = len(content or b""), 0
            archive.addfile(about, io.BytesIO(content or b""))
    return made.getvalue()


def _files(folder: Path) -> dict[str, bytes]:
    return {
        str(each.relative_to(folder)): each.read_bytes()
        for each in folder.rglob("*")
        if each.is_file()
    }


def test_files_and_folders_are_put_there_and_can_be_read(tmp_path: Path) -> None:
    unpack(_packed(("./", None), ("./a/b.txt", b"1"), ("c", b"2"), ("empty", None)), tmp_path)
    assert _files(tmp_path) == {"a/b.txt": b"1", "c": b"2"}
    assert (tmp_path / "empty").is_dir()


def test_of_one_folder_in_it_the_content_is_meant(tmp_path: Path) -> None:
    unpack(_packed(("data", None), ("data/wal/1", b"w")), tmp_path, below="data")
    assert _files(tmp_path) == {"wal/1": b"w"}


def test_links_and_devices_are_left_out(tmp_path: Path) -> None:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for kind in (tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE):
            about = tarfile.TarInfo(f"of type {kind!r}")
            about.type, about.linkname = kind, "kept" if kind == tarfile.LNKTYPE else "/etc/passwd"
            archive.addfile(about)
        about = tarfile.TarInfo("kept")
        about.size = 1
        archive.addfile(about, io.BytesIO(b"k"))
    unpack(made.getvalue(), tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize(
    ("name", "below"),
    [("../out", "."), ("a/../../out", "."), ("/out", "."), ("../out", "data"), ("other", "data")],
)
def test_what_leads_elsewhere_is_refused(name: str, below: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    with pytest.raises(SubstrateError, match="cannot be unpacked"):
        unpack(_packed((f"{below}/good", b"g"), (name, b"x")), folder, below)
    assert set(_files(tmp_path)) <= {"in/good"}


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SubstrateError, match="cannot be unpacked"):
        unpack(b"error: no such container", tmp_path)
