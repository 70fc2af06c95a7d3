"""What this machine has and lacks for the lab, and the exact command that installs what is missing.

It changes nothing, and connects to no cluster.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import psutil

from lab.errors import CannotRun
from lab.substrates.local import database, programs
from lab.substrates.provider import GOOD, MISSING, WARNING, Finding

DISK_FREE_MB = 1024
MEMORY_FREE_MB = 1024
_LOOK_WITHIN_S = 60
_NO_SERVER = "--server=http://127.0.0.1:1"
"""Some kubectls (the Cloud SDK's dispatcher) ask the cluster for its version before they do
anything, even before they read their own file. So they get an address where no cluster is."""


@dataclass(frozen=True, slots=True)
class _Program:
    what: str
    program: str
    least: tuple[int, ...]
    package: str
    brewed: str


_PROGRAMS = (
    _Program("Redis", "redis-server", (6,), "redis-server", "redis"),
    _Program("PostgreSQL", "postgres", (15,), "postgresql", "postgresql@17"),
    _Program("Prometheus", "prometheus", (2, 42), "prometheus", "prometheus"),
    _Program("promtool", "promtool", (2, 42), "prometheus", "prometheus"),
    _Program("Alertmanager", "alertmanager", (0, 25), "prometheus-alertmanager", "alertmanager"),
)
_EXPORTERS = {
    "Redis": ("redis-exporter", "prometheus-redis-exporter"),
    "PostgreSQL": ("postgres-exporter", "prometheus-postgres-exporter"),
}
_RABBITMQ = _Program("RabbitMQ", "rabbitmq-server", (3, 10), "rabbitmq-server", "rabbitmq")


def examine() -> list[Finding]:
    """Examine everything that the lab needs of this machine."""
    return [
        _python(),
        _rabbitmq(),
        *(_program(each) for each in _PROGRAMS),
        *(_exporter(service) for service in _EXPORTERS),
        _database_user(),
        _shared_memory(),
        _room("free disk", shutil.disk_usage(Path.cwd()).free, DISK_FREE_MB),
        _room("free memory", psutil.virtual_memory().available, MEMORY_FREE_MB),
        _kubernetes(),
    ]


def judge(what: str, text: str, least: tuple[int, ...], cure: str) -> Finding:
    """Compare the first version number in `text` with the oldest that is supported."""
    seen = re.search(r"(\d+(?:\.\d+)*)", text)
    wanted = ".".join(map(str, least))
    if seen is None:
        return Finding(what, MISSING, f"no version in {text.strip()[:80]!r}", cure)
    version = tuple(map(int, seen.group(1).split(".")))
    if version[: len(least)] < least:
        return Finding(what, MISSING, f"{seen.group(1)}, but {wanted} or newer is needed", cure)
    return Finding(what, GOOD, seen.group(1))


def contexts(config: str) -> Finding:
    """Read `kubectl config view -o json`; the current context is marked with a star."""
    content = json.loads(config)
    current = content.get("current-context", "")
    names = [each["name"] for each in content.get("contexts") or []]
    shown = ", ".join(f"{name}*" if name == current else name for name in names)
    return Finding(
        "Kubernetes contexts",
        GOOD,
        f"{shown or 'none'} (the lab never acts on a context that was not named)",
    )


def _python() -> Finding:
    cure = "install Python 3.11 or newer, then `make setup`"
    return judge("Python", platform.python_version(), (3, 11), cure)


def _rabbitmq() -> Finding:
    found = programs.find(_RABBITMQ.program)
    if found is None:
        return Finding(_RABBITMQ.what, MISSING, "not installed", _install(_RABBITMQ))
    if programs.find("epmd") is None:
        return Finding(
            _RABBITMQ.what, MISSING, "Erlang's epmd is not installed", _install(_RABBITMQ)
        )
    # Asking the server itself would start an Erlang node; its folder is named after the version.
    for place in (found.resolve(), *Path("/usr/lib/rabbitmq/lib").glob("rabbitmq_server-*")):
        version = re.search(r"(?:rabbitmq_server-|rabbitmq/)(\d+\.\d+\.\d+)", str(place))
        if version:
            return judge(_RABBITMQ.what, version.group(1), _RABBITMQ.least, _install(_RABBITMQ))
    return Finding(_RABBITMQ.what, WARNING, f"{found}, of unknown version")


def _program(each: _Program) -> Finding:
    found = programs.find(each.program)
    if found is None:
        return Finding(each.what, MISSING, "not installed", _install(each))
    return judge(each.what, _output(str(found), "--version"), each.least, _install(each))


def _exporter(service: str) -> Finding:
    """A service's exporter for Prometheus; without it, the service's dashboard stays empty."""
    program, package = _EXPORTERS[service]
    what = f"{service}'s exporter"
    found = programs.find(program)
    if found is not None:
        return Finding(what, GOOD, str(found))
    cure = _with_apt(package) if _has_apt() else ""
    return Finding(what, WARNING, f"not installed; {service} has no metrics in Prometheus", cure)


def _install(each: _Program) -> str:
    if sys.platform == "darwin":
        return f"brew install {each.brewed}"
    if _has_apt():
        return f"make setup, or: {_with_apt(each.package)}"
    return f"install {each.what} {'.'.join(map(str, each.least))} or newer"


def _has_apt() -> bool:
    return sys.platform != "darwin" and shutil.which("apt-get") is not None


def _with_apt(package: str) -> str:
    sudo = "" if os.geteuid() == 0 else "sudo "
    return f"{sudo}apt-get install --no-install-recommends {package}"


def _database_user() -> Finding:
    what = "PostgreSQL's user"
    try:
        user = database.unprivileged_user()
    except CannotRun as error:
        return Finding(what, MISSING, str(error), "run the lab as an ordinary user")
    if user is None:
        return Finding(what, GOOD, "you")
    try:
        with tempfile.TemporaryDirectory(prefix="missing-table-doctor-", dir="/var/tmp") as folder:
            shutil.chown(folder, user)
            subprocess.run(
                ["touch", f"{folder}/file"],
                check=True,
                user=user,
                group=user,
                extra_groups=[],
                cwd=folder,
                timeout=_LOOK_WITHIN_S,
                capture_output=True,
            )
    except (OSError, LookupError, subprocess.SubprocessError) as error:
        return Finding(what, MISSING, f"{user}: {error}", "run the lab as an ordinary user")
    return Finding(what, GOOD, f"{user}, as you are root")


def _shared_memory() -> Finding:
    """Worker pools keep their locks there; minimal containers may lack it."""
    what, place = "shared memory", Path("/dev/shm")  # noqa: S108
    if sys.platform != "linux":
        return Finding(what, GOOD, "part of the system")
    if not os.access(place, os.W_OK):
        cure = f"mount -t tmpfs -o mode=1777 tmpfs {place}"
        return Finding(what, MISSING, f"{place} does not exist or cannot be written to", cure)
    return Finding(what, GOOD, str(place))


def _room(what: str, free: int, wanted_mb: int) -> Finding:
    free_mb = free // 2**20
    if free_mb < wanted_mb:
        return Finding(what, WARNING, f"{free_mb} MB", f"{wanted_mb} MB are needed; free some")
    return Finding(what, GOOD, f"{free_mb} MB")


def _kubernetes() -> Finding:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        absent = "kubectl is not installed; only the Kubernetes substrate needs it"
        return Finding("Kubernetes contexts", WARNING, absent)
    try:
        return contexts(_output(kubectl, _NO_SERVER, "config", "view", "-o", "json"))
    except (ValueError, LookupError) as error:
        return Finding("Kubernetes contexts", WARNING, f"kubectl's answer was unreadable: {error}")


def _output(*command: str) -> str:
    """What a program prints; the error if it cannot be run."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_LOOK_WITHIN_S, check=False
        )
    except (OSError, subprocess.SubprocessError) as error:
        return str(error)
    return done.stdout or done.stderr
