"""Takes files out of a tar archive that a container has packed."""

from __future__ import annotations

import io
import shutil
import tarfile
from pathlib import Path, PurePosixPath

from lab.errors import SubstrateError


def unpack(packed: bytes, folder: Path, below: str = ".") -> None:
    """Put the files of an archive into a folder, with what permissions this process gives.

    Links and devices are left out: nothing that the lab takes home has any. (The filters of
    `tarfile` would refuse these, too, but Python has them since 3.11.4 only.)

    Args:
        below: a folder in the archive, whose content is meant.

    Raises:
        SubstrateError: it is no archive, or a name in it leads out of the folder.
    """
    try:
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                _put(archive, member, folder, below)
    except (tarfile.TarError, ValueError) as error:
        raise SubstrateError(
            f"what came out of the container cannot be unpacked: {error}"
        ) from error


def _put(archive: tarfile.TarFile, member: tarfile.TarInfo, folder: Path, below: str) -> None:
    name = PurePosixPath(member.name).relative_to(below)
    if ".." in name.parts:
        raise ValueError(f"{member.name!r} leads out of its folder")
    target = folder / name
    if member.isdir():
        target.mkdir(parents=True, exist_ok=True)
    elif member.isreg() and (content := archive.extractfile(member)) is not None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with content, target.open("wb") as file:
            shutil.copyfileobj(content, file)
