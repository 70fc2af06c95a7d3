"""One part of the system: a controller with one pod at most, ended, frozen and started again.

To kill is more than to delete a pod: the kubelet would ask its processes to end first, and their
controller would bring a new one at once. So they are stopped where they are, by a signal that none
can catch; then the controller is told to have no pod; and when it has given that one up, what
stands still is killed from within.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from lab.errors import NotWithin, SubstrateError
from lab.substrates.kubernetes.fitted import Controller
from lab.substrates.kubernetes.kubectl import ask, command, kubectl, stream
from lab.substrates.kubernetes.objects import PART
from lab.wait import eventually

GONE_WITHIN_S = 60.0
LAST_LINES_S = 10.0
_LINES = 12
Pod = dict[str, Any]


class Part:
    """A part, by its controller."""

    def __init__(self, namespace: str, controller: Controller, log: Path) -> None:
        """Prepare; asks nothing.

        Args:
            log: where the log of its earlier pods is kept.
        """
        self.name = controller.part
        self.object = controller.object
        self._in = ("--namespace", namespace)
        self._log = log

    def pod(self) -> Pod | None:
        """Its pod, unless that is ending."""
        return next((each for each in self._pods() if not is_ending(each)), None)

    def kill(self) -> None:
        """End all its processes at once; does nothing if it has ended."""
        pods = [each for each in self._pods() if is_running(each)]
        for each in pods:
            self._signal("STOP", each)
            self.keep_log(each)
        self._have(0)
        for each in pods:
            self._kill_ending(each)
        self._wait_until_gone(GONE_WITHIN_S)

    def terminate(self, within_s: float) -> None:
        """Ask it to end, and wait until it has.

        Raises:
            SubstrateError: it still runs.
        """
        pod = self.pod()
        if pod is None:
            return
        with self._logging(pod):
            self._have(0)
            self._wait_until_gone(within_s)

    def start(self) -> None:
        """Have a pod of it; does nothing if it has one that goes on."""
        self.resume()
        self._have(1)

    def pause(self) -> None:
        """Stop all its processes where they are."""
        self._signal("STOP", self._need())

    def resume(self) -> None:
        """Let them go on; does nothing if they do, or if there are none."""
        pod = self.pod()
        if pod is not None and is_running(pod):
            self._signal("CONT", pod)

    def execute(self, *words: str, within_s: float = 60.0) -> str:
        """Run a command in its container; return what it printed.

        Raises:
            SubstrateError: there is no pod; the command failed, or took too long.
        """
        return self._execute(self._need(), *words, within_s=within_s)

    def remove(self) -> None:
        """Remove the controller."""
        kubectl("delete", self.object, *self._in, "--ignore-not-found")

    def log(self) -> Iterator[bytes]:
        """What its pods have written so far, in pieces."""
        if self._log.exists():
            yield self._log.read_bytes()
        pod = self.pod()
        if pod is not None:
            yield from stream("logs", name_of(pod), *self._in, "--container", main_of(pod))

    def keep_log(self, pod: Pod | None = None) -> None:
        """Write down what the pod has written, before that goes with it."""
        pod = pod or self.pod()
        if pod is not None:
            with self._log.open("ab") as kept:
                for piece in stream("logs", name_of(pod), *self._in, "--container", main_of(pod)):
                    kept.write(piece)

    def last_words(self) -> str:
        """The end of its log, for people."""
        text = b"".join(self.log()).decode("utf-8", "replace")
        return "\n".join(f"  {line}" for line in text.splitlines()[-_LINES:])

    def _pods(self) -> list[Pod]:
        found = ask("pods", *self._in, "--selector", f"{PART}={self.name}")
        return list(found["items"])

    def _need(self) -> Pod:
        pod = self.pod()
        if pod is None:
            raise SubstrateError(f"{self.name} has no pod now")
        return pod

    def _have(self, count: int) -> None:
        kubectl("scale", self.object, *self._in, f"--replicas={count}")

    def _signal(self, signal: str, pod: Pod) -> None:
        # To all but the shell that sends it. What holds the namespace belongs to another user.
        self._execute(pod, "sh", "-c", f"kill -s {signal} -- -1")

    def _kill_ending(self, pod: Pod) -> None:
        """End what stands still, as soon as the kubelet would not start it again.

        A grace that is shortened later does not reach a container that is asked to end already.
        """
        name = name_of(pod)

        def same() -> list[Pod]:
            return [each for each in self._pods() if name_of(each) == name]

        self._wait_until(
            f"{name} to be given up", lambda: all(map(is_ending, same())), GONE_WITHIN_S
        )

        def ended() -> bool:
            with suppress(SubstrateError):  # what runs the command may end with the others
                self._signal("KILL", pod)
            return not any(is_running(each) for each in same())

        self._wait_until(f"{name} to end", ended, GONE_WITHIN_S)

    def _execute(self, pod: Pod, *words: str, within_s: float = 60.0) -> str:
        where = (name_of(pod), *self._in, "--container", main_of(pod))
        return kubectl("exec", *where, "--", *words, within_s=within_s)

    def _wait_until_gone(self, within_s: float) -> None:
        self._wait_until(f"{self.name} to end", lambda: not self._pods(), within_s)

    def _wait_until(self, what: str, look: Callable[[], bool], within_s: float) -> None:
        try:
            eventually(what, look, within_s=within_s, every_s=0.2)
        except NotWithin as error:
            raise SubstrateError(
                f"{self.name} still runs {within_s:g} s after it was asked to end; its last "
                f"output:\n{self.last_words()}"
            ) from error

    @contextmanager
    def _logging(self, pod: Pod) -> Iterator[None]:
        """Write down all that the pod writes until it ends, within the block."""
        follow = ("logs", name_of(pod), *self._in, "--container", main_of(pod), "--follow")
        with (
            self._log.open("ab") as kept,
            subprocess.Popen(command(*follow), stdout=kept, stderr=subprocess.DEVNULL) as reading,
        ):
            try:
                yield
                reading.wait(LAST_LINES_S)
            except subprocess.TimeoutExpired:
                return
            finally:
                reading.kill()  # does nothing if it has ended


def name_of(pod: Pod) -> str:
    """Its name."""
    return str(pod["metadata"]["name"])


def main_of(pod: Pod) -> str:
    """The name of its container."""
    return str(pod["spec"]["containers"][0]["name"])


def is_ending(pod: Pod) -> bool:
    """Whether it was asked to end."""
    return "deletionTimestamp" in pod["metadata"]


def is_running(pod: Pod) -> bool:
    """Whether its container runs."""
    statuses = pod["status"].get("containerStatuses", [])
    return bool(statuses) and all("running" in each["state"] for each in statuses)


def is_ready(pod: Pod) -> bool:
    """Whether it does its work, by its own probe."""
    conditions = pod["status"].get("conditions", [])
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)
