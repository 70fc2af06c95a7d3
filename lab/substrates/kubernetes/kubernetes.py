"""The Kubernetes substrate: the chart's objects in a namespace of the lab's own."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from typing import Any

from lab.errors import LabError, SubstrateError
from lab.substrates.containers import addresses, watched
from lab.substrates.containers.contained import Contained
from lab.substrates.containers.identity import marks
from lab.substrates.containers.images import SYSTEM, Images, names
from lab.substrates.containers.runner import Client
from lab.substrates.containers.stack import (
    CONTROL,
    RUNNER,
    SITE,
    Stack,
)
from lab.substrates.containers.unpacking import unpack
from lab.substrates.kubernetes import chart, fitted, own
from lab.substrates.kubernetes.forward import Ways
from lab.substrates.kubernetes.kubectl import kubectl, kubectl_bytes
from lab.substrates.kubernetes.leftovers import remove
from lab.substrates.kubernetes.objects import PART
from lab.substrates.kubernetes.part import Part
from lab.substrates.kubernetes.place import InNamespace
from lab.substrates.kubernetes.startup import wait_until_it_answers, wait_until_ready
from lab.substrates.local.instance import FAILED, UP, Instance
from lab.substrates.local.ports import Ports
from lab.substrates.plan import Plan, Role, as_json
from lab.substrates.protocol import Endpoints, Log
from lab.substrates.provider import Say, silent

CONTROL_S = 60.0
SERIES_WITHIN_S = 130.0
"""What the chart gives Prometheus to end in, and a little more."""
_PROMETHEUS_UID = 65534
_SERIES_CLAIM = "prometheus-data-prometheus-0"
_PACK = "import sys,tarfile; tarfile.open(fileobj=sys.stdout.buffer,mode='w|').add('/data','.')"
_KILL_ONE_CHILD = """\
for stat in /proc/[0-9]*/stat; do
    set -- $(sed 's/.*) //' "$stat" 2>/dev/null) || continue
    parent=${2:-0} pid=${stat#/proc/}
    if [ "$parent" = 0 ] || [ "$parent" = 1 ] || [ "${1:-}" = Z ]; then continue; fi
    of=$(sed 's/.*) //' "/proc/$parent/stat" 2>/dev/null | cut -d ' ' -f 2)
    if [ "$of" = 0 ] && [ "$parent" != "$$" ]; then kill -9 "${pid%/stat}" && exit 0; fi
done
echo "it has no child to kill" >&2
exit 1
"""


class Kubernetes(Contained[Part], InNamespace):
    """The chart's objects on the cluster whose context the user has named."""

    name = "kubernetes"
    kill_one_child = _KILL_ONE_CHILD

    def __init__(self, instance: Instance, say: Say = silent) -> None:
        """Prepare; starts nothing."""
        super().__init__(instance, say)
        self._ways: Ways | None = None
        self._chart: list[dict[str, Any]] = []

    def up(self, plan: Plan) -> Endpoints:
        """Start everything; return once every role has answered."""
        self._refuse(plan)
        known = names()
        system = known.pop(SYSTEM)
        images = Images(system, known, lab=system)
        self._stack = stack = Stack(self._lab, plan, images, Ports())
        try:
            self._chart = chart.rendered(stack, self._lab)
            self._ways = Ways(stack)
            self._begin(stack)
            self._ways.open()
            self._client = Client(stack.here(RUNNER, CONTROL), stack.password(RUNNER))
            for part in self._parts.values():
                wait_until_it_answers(stack, part)
            self._endpoints = addresses.endpoints(stack)
            if plan.monitoring:
                self._wait_until_scraped(
                    stack, f"kubectl logs --namespace {self._lab} prometheus-0"
                )
            self._instance.change(
                phase=UP,
                endpoints=asdict(self._endpoints),
                plan=json.loads(as_json(plan)),
                runner={
                    "address": stack.here(RUNNER, CONTROL),
                    "token": stack.password(RUNNER),
                },
            )
        except BaseException as error:
            if isinstance(error, LabError):
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
            ways, self._ways = self._ways, None
            self._parts.clear()
        if ways is not None:
            ways.close()
        if stack is not None:
            remove(self._lab)
            stack.free.release()

    def namespace(self) -> str:
        """That of the lab alone."""
        return self._lab

    def log_of(self, name: str, part: Part) -> Log:
        """What the pods of a part have written so far."""
        return Log(name, part.log)

    def kill(self, role: Role, index: int = 0) -> None:
        """SIGKILL for all processes of the pod; no other one takes its place."""
        part = self._of(role, index)
        part.kill()
        self._open_ways().close(part.name)

    def terminate(self, role: Role, index: int = 0, *, within_s: float = 60) -> None:
        """Ask the pod to end, and wait until it has."""
        part = self._of(role, index)
        part.terminate(within_s)
        self._open_ways().close(part.name)

    def start(self, role: Role, index: int = 0) -> None:
        """Have a pod again, with its claims, and wait until it answers."""
        part = self._of(role, index)
        part.start()
        self._note_paused(part.name, paused=False)
        wait_until_ready(self._lab, [part.name])
        self._open_ways().open(part.name)
        wait_until_it_answers(self._up(), part)

    def control_broker(self, *arguments: str) -> str:
        """Run `rabbitmqctl` in the broker's pod."""
        return self._of(Role.BROKER, 0).execute(
            "rabbitmqctl", "--quiet", *arguments, within_s=CONTROL_S
        )

    def scale(self, role: Role, count: int) -> None:
        """Start or politely end workers until there are `count`. Other roles do not scale here."""
        have = self._workers(role)
        stack = self._up()
        for index in reversed(range(count, have)):
            self.terminate(role, index, within_s=CONTROL_S)
            with self._lock:
                part = self._parts.pop(f"{role}-{index}")
            part.remove()
        self._apply(each for index in range(have, count) for each in self._worker(stack, index))
        wait_until_ready(self._lab, [f"{role}-{index}" for index in range(have, count)])
        if stack.plan.monitoring:
            self._point_prometheus(stack)

    def keep_series(self, folder: Path) -> None:
        """End Prometheus in order and put its series into `folder`, if there is a Prometheus."""
        stack = self._up()
        if stack.plan.monitoring is None:
            return
        self.terminate(Role.PROMETHEUS, within_s=SERIES_WITHIN_S)
        self._apply([own.reader(stack.images.system, _SERIES_CLAIM, _PROMETHEUS_UID)])
        inside = ("--namespace", self._lab, "reader")
        kubectl("wait", "--for=condition=Ready", "pod", *inside, f"--timeout={CONTROL_S:g}s")
        packed = kubectl_bytes("exec", *inside, "--", "python", "-c", _PACK)
        kubectl("delete", "pod", *inside, "--grace-period=1", "--wait=false")
        unpack(packed, folder)

    def _begin(self, stack: Stack) -> None:
        """Have every object made, and wait until every part is ready."""
        kubectl(
            "create", "--filename=-", stdin=_list([own.namespace(self._lab, marks(self._instance))])
        )
        first, then = fitted.fitted(stack, self._chart)
        workers = [
            each for index in range(stack.plan.workers) for each in self._worker(stack, index)
        ]
        everything = [*first, *then, *workers]
        running = [RUNNER, SITE, *(each.part for each in _controllers(everything))]
        if stack.plan.monitoring:
            first.append(fitted.targets(stack, running))
        self._apply([*own.objects(stack, addresses.passed_on(stack)), *first])
        ready = [RUNNER, SITE, *(each.part for each in _controllers(first))]
        wait_until_ready(self._lab, ready, self._report)
        self._apply([*then, *workers])
        wait_until_ready(self._lab, [name for name in running if name not in ready], self._report)

    def _worker(self, stack: Stack, index: int) -> list[dict[str, Any]]:
        return [own.service(f"{Role.WORKER}-{index}"), *fitted.worker(stack, self._chart, index)]

    def _apply(self, objects: Iterable[dict[str, Any]]) -> None:
        """Have objects in the namespace, and know the parts among them."""
        made = list(objects)
        if not made:
            return
        # By the server: no copy of everything in an annotation, which has room for 256 KiB.
        how = ("--server-side", "--force-conflicts", "--filename=-")
        kubectl("apply", "--namespace", self._lab, *how, stdin=_list(made))
        with self._lock:
            for each in _controllers(made):
                log = self._instance.logs / f"{each.part}.log"
                self._parts[each.part] = Part(self._lab, each, log)

    def _open_ways(self) -> Ways:
        if self._ways is None:
            raise SubstrateError("the lab is not up: call up() first")
        return self._ways

    def _point_prometheus(self, stack: Stack) -> None:
        """Let it scrape the parts that there are now."""
        with self._lock:
            made = fitted.targets(stack, [*self._parts])
        self._apply([made])
        # A pod that changes gets its ConfigMaps at once, else within a minute or two.
        kubectl(
            *("annotate", "pods", "--namespace", self._lab, "--overwrite"),
            *("--selector", f"{PART}={watched.PROMETHEUS}"),
            f"missing-table.targets={hashlib.sha256(str(made).encode()).hexdigest()[:16]}",
        )

    def _keep_logs(self) -> None:
        for each in self._parts.values():
            with suppress(LabError):
                each.keep_log()


def _controllers(objects: Iterable[dict[str, Any]]) -> list[fitted.Controller]:
    return [found for each in objects if (found := fitted.controller(each))]


def _list(objects: list[dict[str, Any]]) -> bytes:
    return json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}).encode()
