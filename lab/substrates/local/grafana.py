"""Grafana with the lab's Prometheus and dashboards, where this machine has a Grafana.

What it reads at its start is written down in any case, so that one from elsewhere can be started
beside the lab with the same. It listens on this machine only, and whoever opens it may look.
Documented at https://grafana.com/docs/grafana/latest/administration/provisioning/ and
https://grafana.com/docs/grafana/latest/setup-grafana/configure-grafana/.
"""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import yaml

from lab.substrates.local import monitoring, programs, roles
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command
from lab.substrates.local.service import Ground, Service, environment, name_of
from lab.substrates.plan import Role

GRAFANA = name_of(Role.GRAFANA)
FOLDER = "grafana"
"""Within a lab's folder: `provisioning/` and `dashboards/`."""
DASHBOARDS = "MISSING_TABLE_DASHBOARDS"
"""Says to Grafana where the dashboards are: in a container that is another place than here."""
_HOMES = ("..", "../share/grafana", "/usr/share/grafana")
"""Where Grafana's own files are, seen from its program: an archive, Homebrew, a package."""


def is_here() -> bool:
    """Whether this machine has a Grafana that can be started."""
    return _home() is not None


def service(ground: Ground) -> Service:
    """Grafana, beside the Prometheus that it asks."""
    command = partial(_command, ground)
    return roles.web_service(ground, GRAFANA, "/api/health", command, monitoring.PROMETHEUS)


def provision(ground: Ground) -> Path:
    """Write down what a Grafana reads at its start; gives the folder."""
    folder = ground.folder(FOLDER)
    source = {
        "name": "Prometheus",
        "type": "prometheus",
        "uid": "prometheus",
        "access": "proxy",
        "url": roles.http_url(ground, monitoring.PROMETHEUS),
        "isDefault": True,
        "jsonData": {"timeInterval": "1s"},  # a lab is scraped each second
    }
    provider = {"name": "lab", "type": "file", "options": {"path": f"${DASHBOARDS}"}}
    for name, content in (
        ("datasources/prometheus.yaml", {"apiVersion": 1, "datasources": [source]}),
        ("dashboards/lab.yaml", {"apiVersion": 1, "providers": [provider]}),
    ):
        path = folder / "provisioning" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(yaml.safe_dump(content, sort_keys=False), "utf-8")
    boards = folder / "dashboards"
    boards.mkdir(exist_ok=True)
    for name, board in (ground.plan.dashboards or {}).items():
        (boards / name).write_text(json.dumps(board), "utf-8")
    return folder


def _command(ground: Ground, port: int) -> Command:
    folder, home = provision(ground), _home()
    env = environment(
        **{DASHBOARDS: str(folder / "dashboards")},
        GF_PATHS_DATA=str(folder / "data"),
        GF_PATHS_LOGS=str(folder / "data"),
        GF_PATHS_PLUGINS=str(folder / "plugins"),
        GF_PATHS_PROVISIONING=str(folder / "provisioning"),
        GF_SERVER_HTTP_ADDR=HOST,
        GF_SERVER_HTTP_PORT=str(port),
        GF_SECURITY_ADMIN_PASSWORD=ground.password("grafana"),
        GF_AUTH_ANONYMOUS_ENABLED="true",
        GF_AUTH_ANONYMOUS_ORG_ROLE="Viewer",
        GF_ANALYTICS_REPORTING_ENABLED="false",
        GF_ANALYTICS_CHECK_FOR_UPDATES="false",
    )
    argv = (programs.need("grafana"), "server", "--homepath", str(home))
    return Command(argv, env, cwd=folder)


def _home() -> Path | None:
    """Where Grafana's own files are; None if there is no Grafana."""
    program = programs.find("grafana")
    if program is None:
        return None
    places = (program.resolve().parent / each for each in _HOMES)
    return next((each.resolve() for each in places if (each / "conf/defaults.ini").exists()), None)
