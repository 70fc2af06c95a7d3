"""Docker, by its own command line: so the user's context, login and host hold here, too."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from lab.errors import CannotRun, SubstrateError
from lab.substrates.containers import tool

WITHIN_S = 120.0
LOOK_S = 20.0


def docker(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    within_s: float = WITHIN_S,
) -> str:
    """Run one command of Docker; return what it printed.

    Args:
        env: more variables of its environment. `--env NAME` takes the value from there, so that no
            secret is on a command line.
        stdin: what it reads.

    Raises:
        SubstrateError: it failed, or took too long; says what it printed.
    """
    return docker_bytes(*arguments, env=env, stdin=stdin, within_s=within_s).decode(
        "utf-8", "replace"
    )


def docker_bytes(
    *arguments: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    within_s: float = WITHIN_S,
) -> bytes:
    """As `docker`, for what is no text."""
    what = f"docker {arguments[0]} {arguments[-1]}"
    return tool.run(["docker", *arguments], what, within_s=within_s, stdin=stdin, env=env)


def need() -> str:
    """The version of the engine.

    Raises:
        CannotRun: none answers.
    """
    try:
        return docker("version", "--format", "{{.Server.Version}}", within_s=LOOK_S).strip()
    except SubstrateError as error:
        raise CannotRun(
            f"no Docker engine answers ({error}); start one (on Linux `systemctl start docker`, "
            "elsewhere Docker Desktop), or run the lab on processes: --substrate local"
        ) from error


def log_of(container: str) -> Iterator[bytes]:
    """What a container has written so far, in pieces; nothing if it has gone."""
    return tool.stream(["docker", "logs", container], errors=True)
