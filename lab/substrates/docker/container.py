"""One container: made from a description, filled with its files, started, watched and ended."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from lab.errors import SubstrateError
from lab.substrates.docker.engine import docker, log_of
from lab.substrates.local.ports import HOST

RUNNING, PAUSED = "running", "paused"
_GONE = "gone"
_LOG_BYTES_MAX = "200m"
_SEALED = ("--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges")


@dataclass(frozen=True, slots=True)
class File:
    """A file that a container has from its beginning; it may hold secrets.

    Attributes:
        uid: its owner, who alone can read it.
    """

    content: str = field(repr=False)
    uid: int
    mode: int = 0o600


@dataclass(frozen=True, slots=True)
class Spec:
    """What a container is.

    Attributes:
        name: `<role>-<index>`; other containers reach it by this name.
        command: the arguments of the image's entry point.
        env: passwords among them.
        files: by path.
        volumes: where each is mounted, by name; what is in them outlives the container's death.
        fleeting: folders in memory, which are empty after each start.
        published: by the port in the container, the port of this machine.
        sealed: whether the root is read-only, and no capability is left.
        needs: names of those that must answer before it starts.
        prepare: arguments of the entry point for a container that must end well before it.
        answers: whether it does its work; False or any error means "not yet".
        every_s: how often it is asked.
        stop: the signal that ends it in order.
    """

    name: str
    image: str
    answers: Callable[[], object]
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    files: Mapping[str, File] = field(default_factory=dict)
    volumes: Mapping[str, str] = field(default_factory=dict)
    fleeting: tuple[str, ...] = ()
    published: Mapping[int, int] = field(default_factory=dict)
    sealed: bool = False
    needs: tuple[str, ...] = ()
    prepare: tuple[str, ...] = ()
    every_s: float = 0.25
    stop: str = "TERM"
    within_s: float = 240.0


class Container:
    """The container of a description, in the network of its lab."""

    def __init__(self, spec: Spec, lab: str, labels: list[str]) -> None:
        """Prepare; makes nothing.

        Args:
            lab: what the names of the lab's parts begin with; the name of its network.
            labels: options that mark it as part of the lab.
        """
        self.spec = spec
        self.name = f"{lab}-{spec.name}"
        self._lab = lab
        self._labels = labels

    def make(self) -> None:
        """Prepare what it needs, and make it; it does not run yet.

        Raises:
            SubstrateError: it cannot be made.
        """
        if self.spec.prepare:
            shared = [*self._shared(), self.spec.image, *self.spec.prepare]
            docker("run", "--rm", *shared, env=self.spec.env)
        docker(
            *("create", "--name", self.name, "--hostname", self.spec.name),
            *("--network-alias", self.spec.name),
            *("--log-driver", "json-file", "--log-opt", f"max-size={_LOG_BYTES_MAX}"),
            *self._options(),
            *self._shared(),
            self.spec.image,
            *self.spec.command,
            env=self.spec.env,
        )
        self.put(self.spec.files)

    def run(self) -> None:
        """Let it run; does nothing if it does."""
        docker("start", self.name)

    def put(self, files: Mapping[str, File]) -> None:
        """Make files in it, or replace them."""
        if files:
            docker("cp", "-", f"{self.name}:/", stdin=_archive(files))

    def state(self) -> str:
        """As the engine calls it, such as `running`, `paused` or `exited`; `gone` if it is not."""
        try:
            return docker("inspect", "--format", "{{.State.Status}}", self.name).strip()
        except SubstrateError:
            return _GONE

    def kill(self) -> None:
        """End it at once; does nothing if it has ended."""
        if self.state() in (RUNNING, PAUSED):
            try:
                docker("kill", self.name)
            except SubstrateError:
                if self.state() in (RUNNING, PAUSED):
                    raise

    def terminate(self, within_s: float) -> bool:
        """Ask it to end; whether it has within this time."""
        if self.state() != RUNNING:
            return True
        try:
            docker("kill", "--signal", self.spec.stop, self.name)
            docker("wait", self.name, within_s=within_s)
        except SubstrateError:
            return self.state() != RUNNING
        return True

    def pause(self) -> None:
        """Stop all in it where it is; does nothing if it has."""
        if self.state() != PAUSED:
            docker("pause", self.name)

    def resume(self) -> None:
        """Let it go on; does nothing if it does."""
        if self.state() == PAUSED:
            docker("unpause", self.name)

    def execute(self, *command: str, user: str | None = None, within_s: float = 60.0) -> str:
        """Run a command in it; return what it printed.

        Raises:
            SubstrateError: it failed, or took too long.
        """
        as_user = ["--user", user] if user else []
        return docker("exec", *as_user, self.name, *command, within_s=within_s)

    def last_words(self, lines: int = 12) -> str:
        """The end of its log, for people."""
        text = b"".join(log_of(self.name)).decode("utf-8", "replace")
        return "\n".join(f"  {line}" for line in text.splitlines()[-lines:])

    def exit_code(self) -> int:
        """With which it has ended."""
        return int(json.loads(docker("inspect", "--format", "{{.State.ExitCode}}", self.name)))

    def _shared(self) -> list[str]:
        """What holds for its preparation, too."""
        spec = self.spec
        tmpfs = [f"--tmpfs={folder}:mode=1777" for folder in spec.fleeting]
        # As CSV has it: a path may hold commas and quotes.
        quoted = [label.replace('"', '""') for label in self._labels[1::2]]
        marks = "".join(f',"volume-label={label}"' for label in quoted)
        mounts = [
            f"--mount=type=volume,source={self._lab}-{name},target={path}{marks}"
            for name, path in spec.volumes.items()
        ]
        sealed = _SEALED if spec.sealed else ()
        env = [word for name in spec.env for word in ("--env", name)]
        return ["--network", self._lab, *self._labels, *tmpfs, *mounts, *sealed, *env]

    def _options(self) -> list[str]:
        return [f"--publish={HOST}:{here}:{there}" for there, here in self.spec.published.items()]


def _archive(files: Mapping[str, File]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as archive:
        for path, file in files.items():
            content = file.content.encode()
            about = tarfile.TarInfo(path.lstrip("/"))
            about.size, about.mode = len(content), file.mode
            about.uid = about.gid = file.uid
            archive.addfile(about, io.BytesIO(content))
    return made.getvalue()
