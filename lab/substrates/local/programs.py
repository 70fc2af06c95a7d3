"""Finds the programs that the local substrate runs: on Debian, on Homebrew, or on the PATH."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from lab.errors import CannotRun

_HOMEBREW = (Path("/opt/homebrew"), Path("/usr/local"))
_HINT = "run `make setup` to install what is missing, `make doctor` to see what that is"


def find(name: str) -> Path | None:
    """Return the program's path, or None."""
    return _SPECIAL[name]() if name in _SPECIAL else _on_path(name)


def need(name: str) -> str:
    """Return the program's path.

    Raises:
        CannotRun: it is not there; says how to get it.
    """
    found = find(name)
    if found is None:
        raise CannotRun(f"{name} is not installed; {_HINT}")
    return str(found)


def postgres(name: str) -> str:
    """Return the path of one of PostgreSQL's own programs: `postgres`, `initdb`.

    Raises:
        CannotRun: it is not there; says how to get it.
    """
    server = find("postgres")
    program = server and server.with_name(name)
    if not program or not program.exists():
        raise CannotRun(f"PostgreSQL's {name} is not installed; {_HINT}")
    return str(program)


def _on_path(name: str) -> Path | None:
    places = [os.environ.get("PATH", ""), "/usr/sbin", *(f"{p}/bin" for p in _HOMEBREW)]
    found = shutil.which(name, path=os.pathsep.join(places))
    return Path(found) if found else None


def _rabbitmq_server() -> Path | None:
    """The server's own script. Debian's wrapper in /usr/sbin insists on its own user."""
    own = Path("/usr/lib/rabbitmq/bin/rabbitmq-server")
    brewed = (p / "opt/rabbitmq/sbin/rabbitmq-server" for p in _HOMEBREW)
    return next((p for p in (own, *brewed) if p.exists()), _on_path("rabbitmq-server"))


def _beside_rabbitmq(name: str) -> Path | None:
    """A tool beside the server. Debian's wrapper in /usr/sbin changes to its own user."""
    server = _rabbitmq_server()
    tool = server and server.with_name(name)
    return tool if tool and tool.exists() else _on_path(name)


def _postgres() -> Path | None:
    """The newest server: Debian keeps them off the PATH, one folder for each major version."""
    found = {
        _major(place): place / "bin/postgres"
        for place in Path("/usr/lib/postgresql").glob("*")
        if (place / "bin/postgres").exists()
    }
    for prefix in _HOMEBREW:
        for place in (prefix / "opt").glob("postgresql@*"):
            if (place / "bin/postgres").exists():
                found[_major(place)] = place / "bin/postgres"
    return found[max(found)] if found else _on_path("postgres")


def _major(place: Path) -> int:
    digits = re.search(r"(\d+)$", place.name)
    return int(digits.group(1)) if digits else 0


def _exporter(service: str) -> Path | None:
    """Debian puts the maker's name before that of an exporter."""
    return _on_path(f"prometheus-{service}-exporter") or _on_path(f"{service}_exporter")


_SPECIAL = {
    "alertmanager": lambda: _on_path("prometheus-alertmanager") or _on_path("alertmanager"),
    "redis-exporter": lambda: _exporter("redis"),
    "postgres-exporter": lambda: _exporter("postgres"),
    "rabbitmq-server": _rabbitmq_server,
    "rabbitmqctl": lambda: _beside_rabbitmq("rabbitmqctl"),
    "rabbitmq-diagnostics": lambda: _beside_rabbitmq("rabbitmq-diagnostics"),
    "postgres": _postgres,
}
