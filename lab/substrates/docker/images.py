"""Has every image of a lab on the engine: pulls what is missing, and makes the lab's own.

The lab's own parts (the league's site, the runner, weakened versions of the system) are in an image
that is made from the system's image when it is needed.
"""

from __future__ import annotations

import hashlib
import io
import tarfile
from collections.abc import Mapping

from lab.errors import CannotRun, SubstrateError
from lab.substrates.containers.images import SYSTEM, Images, names, variable
from lab.substrates.containers.sources import sources
from lab.substrates.docker.engine import docker

LAB_REPOSITORY = "messaging-platform-lab"
_PULL_S = 900.0
_BUILD_S = 300.0
_DOCKERFILE = """\
ARG SYSTEM
FROM ${SYSTEM}
COPY --chown=root:root app /app
"""


def need() -> Images:
    """Have every image on the engine: those that are missing are pulled, or made.

    Raises:
        CannotRun: one is missing, and cannot be had.
    """
    known = names()
    identity = _identity(known[SYSTEM])
    if identity is None:
        raise CannotRun(
            f"the engine has no image {known[SYSTEM]}; build it with `make image`, or name another "
            f"one in {variable(SYSTEM)}"
        )
    public = {part: name for part, name in known.items() if part != SYSTEM}
    all_there = _identity(*public.values()) is not None  # one question, instead of seven
    for part, name in public.items():
        if not all_there and _identity(name) is None:
            try:
                docker("pull", "--quiet", name, within_s=_PULL_S)
            except SubstrateError as error:
                raise CannotRun(
                    f"the image of {part} is not there and cannot be pulled ({error}); "
                    f"name another one in {variable(part)}"
                ) from error
    return Images(known[SYSTEM], public, _lab_image(known[SYSTEM], identity))


def is_there(image: str) -> bool:
    """Whether the engine has an image."""
    return _identity(image) is not None


def _identity(*images: str) -> str | None:
    """The ids of images; None if the engine lacks one of them."""
    try:
        return docker("image", "inspect", "--format", "{{.Id}}", *images).strip()
    except SubstrateError:
        return None


def _lab_image(system: str, identity: str) -> str:
    """The image with the lab's own parts, made if it is missing; older ones are removed."""
    content = {f"app/{name}": data for name, data in sources()}
    digest = hashlib.blake2b(digest_size=8)
    sizes = [f"{name} {len(data)}" for name, data in content.items()]
    for piece in (identity, _DOCKERFILE, *sizes):
        digest.update(piece.encode())
    for data in content.values():
        digest.update(data)
    name = f"{LAB_REPOSITORY}:{digest.hexdigest()}"
    if _identity(name) is None:
        older = docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}", LAB_REPOSITORY)
        context = _archive({"Dockerfile": _DOCKERFILE.encode()} | content)
        docker(
            *("build", "--quiet", "--force-rm", "--build-arg", f"SYSTEM={system}"),
            *("--tag", name, "-"),
            stdin=context,
            within_s=_BUILD_S,
        )
        for each in older.split():
            _forget(each)
    return name


def _forget(image: str) -> None:
    try:
        docker("image", "rm", image)
    except SubstrateError:
        return  # another lab still runs on it


def _archive(files: Mapping[str, bytes]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(name)
            about.size, about.mode = len(content), 0o644
            archive.addfile(about, io.BytesIO(content))
    return made.getvalue()
