"""The Docker substrate: the whole system in containers, on a network of its own."""

from __future__ import annotations

from functools import partial
from pathlib import Path, PurePosixPath
from threading import Lock

from lab.errors import SubstrateError
from lab.substrates.containers import addresses, watched
from lab.substrates.containers.contained import Contained
from lab.substrates.containers.runner import Client
from lab.substrates.containers.stack import CONTROL, RUNNER, Stack
from lab.substrates.containers.unpacking import unpack
from lab.substrates.docker import images, leftovers, monitoring, services
from lab.substrates.docker.container import RUNNING, Container, Spec
from lab.substrates.docker.engine import docker, docker_bytes, log_of
from lab.substrates.docker.startup import bring_up, wait_until_up
from lab.substrates.local.instance import FAILED, UP, Instance
from lab.substrates.local.ports import Ports
from lab.substrates.plan import Plan, Role
from lab.substrates.protocol import Endpoints, Log
from lab.substrates.provider import Say, silent

SERIES_WITHIN_S = 30.0
CONTROL_S = 180.0
_KILL_ONE_CHILD = """\
for stat in /proc/[0-9]*/stat; do
    set -- $(sed 's/.*) //' "$stat" 2>/dev/null) || continue
    pid=${stat#/proc/}
    if [ "${2:-}" = 1 ] && [ "${1:-}" != Z ]; then kill -9 "${pid%/stat}" && exit 0; fi
done
echo "it has no child to kill" >&2
exit 1
"""


class Docker(Contained[Container]):
    """Containers on the engine that the user's `docker` talks to."""

    name = "docker"
    kill_one_child = _KILL_ONE_CHILD

    def __init__(self, instance: Instance, say: Say = silent) -> None:
        """Prepare; starts nothing."""
        super().__init__(instance, say)
        self._turns: dict[str, Lock] = {}  # of those that start a container

    def up(self, plan: Plan) -> Endpoints:
        """Start everything; return once every role has answered."""
        self._refuse(plan)
        known = images.need()
        self._stack = stack = Stack(self._lab, plan, known, Ports())
        try:
            docker("network", "create", *leftovers.labels(self._instance), self._lab)
            listed = self._specs(stack)
            self._parts = {each.name: self._container(each) for each in listed}
            bring_up([*self._parts.values()], self._report)
            self._client = Client(stack.here(RUNNER, CONTROL), stack.password(RUNNER))
            self._endpoints = addresses.endpoints(stack)
            if plan.monitoring:
                self._point_prometheus()
                self._wait_until_scraped(
                    stack, f"docker logs {self._parts[watched.PROMETHEUS].name}"
                )
            self._instance.change(phase=UP)
        except BaseException as error:
            if isinstance(error, SubstrateError):
                self._keep_logs()
                self._instance.change(phase=FAILED)
            self.down()
            raise
        return self._endpoints

    def down(self) -> None:
        """End everything at once: its data is no longer needed."""
        with self._lock:
            stack, self._stack = self._stack, None
            self._client = self._endpoints = None
            self._parts.clear()
        if stack is not None:
            leftovers.remove(self._lab)
            stack.free.release()

    def log_of(self, name: str, part: Container) -> Log:
        """What a container has written so far."""
        return Log(name, partial(log_of, part.name))

    def kill(self, role: Role, index: int = 0) -> None:
        """SIGKILL for the container's process, and so for all in it."""
        self._of(role, index).kill()

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Ask the process to end, and wait until it has."""
        container = self._of(role, index)
        if not container.terminate(within_s):
            raise SubstrateError(
                f"{container.spec.name} still runs {within_s:g} s after it was asked to end; "
                f"its last output:\n{container.last_words()}"
            )

    def start(self, role: Role, index: int = 0) -> None:
        """Start the container again, with its volumes, and wait until it answers."""
        container = self._of(role, index)
        with self._lock:
            turn = self._turns.setdefault(container.name, Lock())
        with turn:
            container.resume()
            if container.state() != RUNNING:
                container.run()
                wait_until_up(container)

    def control_broker(self, *arguments: str) -> str:
        """Run `rabbitmqctl` in the broker's container."""
        return self._of(Role.BROKER, 0).execute(
            "rabbitmqctl", "--quiet", *arguments, user="rabbitmq", within_s=CONTROL_S
        )

    def scale(self, role: Role, count: int) -> None:
        """Start or politely end workers until there are `count`. Other roles do not scale here."""
        have = self._workers(role)
        stack = self._up()
        for index in reversed(range(count, have)):
            self.terminate(role, index)
            with self._lock:
                container = self._parts.pop(f"{role}-{index}")
            self._keep_log(container)
            docker("rm", "--force", "--volumes", container.name)
        new = [
            self._container(services.worker(stack, index, self._has_file))
            for index in range(have, count)
        ]
        with self._lock:
            self._parts |= {each.spec.name: each for each in new}
        bring_up(new, self._report)
        if stack.plan.monitoring:
            self._point_prometheus()

    def keep_series(self, folder: Path) -> None:
        """End Prometheus in order and put its series into `folder`, if there is a Prometheus."""
        self._up()
        with self._lock:
            prometheus = self._parts.get(watched.PROMETHEUS)
        if prometheus is None:
            return
        prometheus.terminate(SERIES_WITHIN_S)
        packed = docker_bytes("cp", f"{prometheus.name}:{monitoring.SERIES}", "-")
        unpack(packed, folder, below=PurePosixPath(monitoring.SERIES).name)

    def _specs(self, stack: Stack) -> list[Spec]:
        """Everything, in an order in which each comes after what it needs."""
        first = [
            services.broker(stack),
            services.results(stack),
            services.database(stack),
            services.site(stack),
        ]
        then = [services.api(stack)]
        then += [
            services.worker(stack, index, self._has_file) for index in range(stack.plan.workers)
        ]
        if stack.plan.monitoring:
            then += [services.scraper_exporter(stack), *monitoring.specs(stack)]
        # Last, for then every port is known that it has to pass on.
        return [*first, services.runner(stack, addresses.passed_on), *then]

    def _container(self, spec: Spec) -> Container:
        return Container(spec, self._lab, leftovers.labels(self._instance))

    def _has_file(self, name: str, path: str) -> bool:
        with self._lock:
            container = self._parts[name]
        container.execute("test", "-e", path)  # raises if not
        return True

    def _point_prometheus(self) -> None:
        with self._lock:
            names = [*self._parts]
            prometheus = self._parts[watched.PROMETHEUS]
        prometheus.put(monitoring.targets(self._up(), names))

    def _keep_log(self, container: Container) -> None:
        """Write down the log of a container that is to be removed."""
        with (self._instance.logs / f"{container.spec.name}.log").open("ab") as kept:
            for piece in log_of(container.name):
                kept.write(piece)

    def _keep_logs(self) -> None:
        for each in self._parts.values():
            self._keep_log(each)
