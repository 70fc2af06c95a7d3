"""Runs a program of an image in the namespace of a lab, as a Job, and brings home what it left."""

from __future__ import annotations

import base64
import json
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab.errors import NotWithin, SubstrateError
from lab.substrates.containers.stack import AMQP, API, BROKER, HTTP, MANAGEMENT
from lab.substrates.containers.unpacking import unpack
from lab.substrates.kubernetes import own, startup
from lab.substrates.kubernetes.kubectl import ask, command, kubectl, kubectl_bytes
from lab.substrates.kubernetes.objects import described
from lab.substrates.kubernetes.part import LAST_LINES_S, is_running, name_of
from lab.substrates.kubernetes.policies import of_job
from lab.substrates.on_cluster import Job
from lab.substrates.protocol import Endpoints
from lab.wait import eventually

JOB = "missing-table.job"
"""The label of its pods."""
STARTS_WITHIN_S, TAKEN_WITHIN_S = 120.0, 120
_ENDED, _TAKEN = ".ended", ".taken"
_RUN = f"""\
"$@"
code=$?
echo $code >{_ENDED}
waited=0
while [ ! -e {_TAKEN} ] && [ $waited -lt {TAKEN_WITHIN_S} ]; do
    sleep 1
    waited=$((waited + 1))
done
exit $code
"""
"""Its files go with the pod, so it stays until they are taken, or nobody comes for them."""
_PACK = """
import os, sys, tarfile
tarfile.open(fileobj=sys.stdout.buffer, mode="w|").add(os.path.realpath(sys.argv[1]), ".")
"""


def within(ends: Endpoints) -> Endpoints:
    """Where the system answers for a program in the namespace. Pure."""
    broker = {user: _moved(url, f"{BROKER}:{AMQP}") for user, url in ends.broker_urls.items()}
    return replace(
        ends,
        api_url=_moved(ends.api_url, f"{API}:{HTTP}"),
        scraper_api_url="",
        broker_urls=broker,
        management_url=_moved(ends.management_url, f"{BROKER}:{MANAGEMENT}"),
    )


def run(namespace: str, job: Job, into: Path, say: Callable[[str], None]) -> int:
    """Run a program to its end; see `lab.substrates.on_cluster.RunsJobs`."""
    inside, name = ("--namespace", namespace), job.name
    given = {key: base64.b64encode(value.encode()).decode() for key, value in job.settings.items()}
    shell = ["sh", "-c", _RUN, name, *job.command]
    lasts_s = job.within_s + STARTS_WITHIN_S + TAKEN_WITHIN_S
    made = [
        {**described("v1", "Secret", name), "data": given},
        of_job(name, JOB),
        own.job(name, job.image, shell, JOB, lasts_s),
    ]
    whole = json.dumps({"apiVersion": "v1", "kind": "List", "items": made}).encode()
    try:
        kubectl("create", *inside, "--filename=-", stdin=whole)
        pod = _started(namespace, name)
        with _Following(pod, inside, say):
            code = _ended(pod, inside, job.within_s)
            _bring_home(pod, inside, job.take, into)
            kubectl("exec", pod, *inside, "--", "touch", _TAKEN)
        return code
    finally:
        kinds = ("job", "secret", "networkpolicy")
        kubectl("delete", *(f"{kind}/{name}" for kind in kinds), *inside, "--ignore-not-found")


def _started(namespace: str, name: str) -> str:
    """The name of its pod, once that runs."""
    found = ""

    def look() -> bool:
        nonlocal found
        for pod in ask("pods", "--namespace", namespace, "--selector", f"{JOB}={name}")["items"]:
            if why := startup.hopeless(pod):
                raise SubstrateError(why)
            if is_running(pod):
                found = name_of(pod)
        return bool(found)

    _until(f"the job {name} to run", look, STARTS_WITHIN_S)
    return found


def _ended(pod: str, inside: tuple[str, ...], within_s: float) -> int:
    """Its exit code."""
    said = ""

    def look() -> bool:
        nonlocal said
        try:
            said = kubectl("exec", pod, *inside, "--", "cat", _ENDED).strip()
        except SubstrateError as error:
            if not _runs(pod, inside):
                raise SubstrateError(f"{pod} ended before its program did: {error}") from error
        return bool(said)

    _until(f"{pod} to end", look, within_s)
    return int(said)


def _runs(pod: str, inside: tuple[str, ...]) -> bool:
    found: dict[str, Any] = ask("pod", pod, *inside)
    return is_running(found)


def _bring_home(pod: str, inside: tuple[str, ...], take: str, into: Path) -> None:
    try:
        packed = kubectl_bytes("exec", pod, *inside, "--", "python", "-c", _PACK, take)
    except SubstrateError:  # it left nothing
        return
    unpack(packed, into)


def _until(what: str, look: Callable[[], bool], within_s: float) -> None:
    try:
        eventually(what, look, within_s=within_s, every_s=1.0)
    except NotWithin as error:
        raise SubstrateError(str(error)) from error


def _moved(url: str, to: str) -> str:
    """A URL with the same login, at another place."""
    at = urlsplit(url)
    login, login_ends, _ = at.netloc.rpartition("@")
    return at._replace(netloc=f"{login}{login_ends}{to}").geturl()


class _Following:
    """Says each line that a pod prints, within the block."""

    def __init__(self, pod: str, inside: tuple[str, ...], say: Callable[[str], None]) -> None:
        self._words, self._say = command("logs", pod, *inside, "--follow"), say

    def __enter__(self) -> None:
        self._process = subprocess.Popen(
            self._words, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def __exit__(self, error: type[BaseException] | None, *_: object) -> None:
        if error is None:  # the pod ends now, and its log with it
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(LAST_LINES_S)
        self._process.kill()
        self._thread.join()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None  # noqa: S101 - it is a pipe
        with self._process.stdout as lines:
            for line in lines:
                self._say(line.rstrip())
