"""The pipeline's own roles: the API, the workers, and the league's web site.

They are driven from outside, as in production: a command, an environment, an address.
"""

from __future__ import annotations

import http.client
import sys
from collections.abc import Callable
from pathlib import Path

from lab.paths import PROJECT
from lab.substrates.abilities import OUTBOX
from lab.substrates.local import broker, database, results, workspace
from lab.substrates.local.ports import HOST
from lab.substrates.local.processes import Command
from lab.substrates.local.service import Ground, Launch, Service, environment, name_of
from lab.substrates.plan import Link, Role

API = name_of(Role.API)
SITE = name_of(Role.SITE)
SCRAPER_EXPORTER = name_of(Role.SCRAPER_EXPORTER)
_BACKEND = "system.backend"
_WORKER = "system.worker"
_SCRAPER = "system.scraper"
_LEAGUE_SITE = "lab.workload.league.site"


def http_url(ground: Ground, name: str, link: Link | None = None) -> str:
    """The address of a service that speaks HTTP; by way of `link` if given."""
    return f"http://{HOST}:{ground.way(name, link)}"


def api(ground: Ground) -> Service:
    """The backend, with its tables made first unless they were prepared."""

    def configure() -> Launch:
        (port,) = ports = ground.listen(API)
        serve = _backend(ground, "serve", "--host", HOST, "--port", str(port))
        return Launch(serve, () if ground.prepared else (migration(ground),), ports)

    return Service(
        API,
        needs=(database.DATABASE,),
        configure=configure,
        answers=lambda: is_ok(ground.ports[API], "/readyz"),
    )


def migration(ground: Ground) -> Command:
    """What makes the tables of the system's database."""
    return _backend(ground, "migrate")


def _backend(ground: Ground, *arguments: str) -> Command:
    env = {
        "MISSING_TABLE_DATABASE_URL": database.url(ground, Link.API_DATABASE),
        "MISSING_TABLE_API_TOKEN": ground.password("api"),
    }
    return _python(ground, Role.API, _BACKEND, *arguments, **env)


def worker(ground: Ground, index: int) -> Service:
    """One worker. It touches a file when it is ready."""
    name = name_of(Role.WORKER, index)
    sign = ground.folder("workers") / f"{name}.ready"

    def configure() -> Launch:
        given = ground.plan.settings.get(Role.WORKER, {})
        env = {
            "MISSING_TABLE_BROKER_URL": broker.url(ground, "worker", Link.WORKER_BROKER),
            "MISSING_TABLE_RESULT_URL": results.url(ground, Link.WORKER_RESULTS),
            "MISSING_TABLE_CONCURRENCY": str(ground.plan.concurrency),
            "MISSING_TABLE_READY_FILE": str(sign),
        }
        if given.get("MISSING_TABLE_SINK") == "database":
            env["MISSING_TABLE_DATABASE_URL"] = database.url(ground)
        else:
            env["MISSING_TABLE_API_URL"] = http_url(ground, API, Link.WORKER_API)
            env["MISSING_TABLE_API_TOKEN"] = ground.password("api")
        if ground.plan.flower:
            env["MISSING_TABLE_TASK_EVENTS"] = "1"
        ports: tuple[int, ...] = ()
        if ground.plan.monitoring:
            (port,) = ports = ground.listen(metrics_of(name))
            # Kept over restarts, so that its counters go on.
            env["MISSING_TABLE_METRICS_FOLDER"] = str(ground.folder("workers") / f"{name}-metrics")
            env["MISSING_TABLE_METRICS_PORT"] = str(port)
        return Launch(_python(ground, Role.WORKER, _WORKER, **env), stale=(sign,), ports=ports)

    return Service(
        name,
        # Its first connection is to the broker; without one it would only come back after seconds.
        needs=(broker.names(ground)[-1], API),
        configure=configure,
        answers=sign.exists,
    )


def metrics_of(worker: str) -> str:
    """The name of the port on which a worker serves its metrics."""
    return f"{worker}:metrics"


def scraper_exporter(ground: Ground) -> Service:
    """The exporter of the scraper's metrics, which also answers between its runs."""

    def command(port: int) -> Command:
        folder = workspace.folder_of(ground.instance)
        env = {
            "MISSING_TABLE_METRICS_FOLDER": str(folder / workspace.SCRAPER_METRICS),
            "MISSING_TABLE_OUTBOX": str(folder / OUTBOX),
        }
        arguments = ("metrics", "--port", str(port))
        return _python(ground, Role.SCRAPER_EXPORTER, _SCRAPER, *arguments, **env)

    return web_service(ground, SCRAPER_EXPORTER, "/metrics", command)


def site(ground: Ground) -> Service:
    """The web site that the scraper reads."""

    def command(port: int) -> Command:
        plan = ground.plan
        arguments = (
            *("--seed", str(plan.seed), "--matches", str(plan.matches)),
            *("--port", str(port), "--page-delay-ms", str(plan.page_delay_ms)),
        )
        return _python(ground, Role.SITE, _LEAGUE_SITE, *arguments)

    return web_service(ground, SITE, "/healthz", command)


def web_service(
    ground: Ground,
    name: str,
    health: str,
    command: Callable[[int], Command],
    *needs: str,
) -> Service:
    """A service that runs `command(port)`, and is up when that port answers `health` with 200."""

    def configure() -> Launch:
        (port,) = ports = ground.listen(name)
        return Launch(command(port), ports=ports)

    return Service(name, configure, lambda: is_ok(ground.ports[name], health), needs)


def _python(ground: Ground, role: Role, module: str, *arguments: str, **env: str) -> Command:
    """Run a module of this project, behind the wrapper that the plan may ask for."""
    wrapper = ground.plan.wrapper.get(role)
    modules = (wrapper, module) if wrapper else (module,)
    given = ground.plan.settings.get(role, {})
    own = {
        "PYTHONPATH": str(PROJECT),
        "PYTHONUNBUFFERED": "1",
        # A process that is killed leaves its temporary files; so they go with the lab.
        "TMPDIR": str(ground.folder("tmp")),
    }
    return Command(
        (sys.executable, "-m", *modules, *arguments),
        environment(**{**own, **env, **given}),
        cwd=_work_folder(ground, role),
    )


def _work_folder(ground: Ground, role: Role) -> Path:
    return ground.folder(f"{role}s" if role is Role.WORKER else str(role))


def is_ok(port: int, path: str) -> bool:
    """Whether `path` of the server on `port` of this machine is answered with 200."""
    connection = http.client.HTTPConnection(HOST, port, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    finally:
        connection.close()
