"""A release of the chart on the cluster that the user has named: by Helm, as its users install it.

The substrate `kubernetes` applies what Helm renders after it has changed it for experiments. Here
nothing is changed: these are the chart's own Deployments, probes and claims, so that what an
installation, an upgrade or a scaling does can be seen as it is. The namespace is the lab's own, and
goes with the block, also when the process is killed. The lab uses the system by three forwards.
"""

from __future__ import annotations

import base64
import json
import subprocess
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lab.errors import SubstrateError
from lab.substrates import elsewhere
from lab.substrates.abilities import Finished
from lab.substrates.containers import images
from lab.substrates.containers.identity import identity, marks
from lab.substrates.containers.leftovers import none_left
from lab.substrates.kubernetes import kubectl, leftovers, own
from lab.substrates.kubernetes.chart import helm, image_value
from lab.substrates.kubernetes.forward import Forward
from lab.substrates.kubernetes.part import is_ending, is_ready, name_of
from lab.substrates.local import keeper
from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import HOST, Ports
from lab.substrates.protocol import Endpoints
from lab.wait import eventually

NAME = "messaging-platform"
SECRET = "messaging-platform-secrets"  # noqa: S105 - a name
HELM_S = 420
WATCH_S = 10
READY_WITHIN_S = 300.0
_COMPONENT = "app.kubernetes.io/component"
_AMQP, _MANAGEMENT, _HTTP, _PROMETHEUS = 5672, 15672, 80, 9090
_FORWARDED = {
    "broker": ("service/rabbitmq", _AMQP),
    "management": ("service/rabbitmq", _MANAGEMENT),
    "backend": ("service/backend", _HTTP),
    "prometheus": ("service/prometheus", _PROMETHEUS),
}
_USERS = ("scraper", "worker", "operator", "admin")
WAYS = ("broker", "management", "backend")
"""The forwards that the lab needs."""
WATCHED = (*WAYS, "prometheus")
ALL, MESSAGING, CLOUD = "values-all.yaml", "values-local.yaml", "values-gke.yaml"


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod as the cluster describes it.

    Attributes:
        uid: of this very pod: another one has another, also under the same name.
        ready: by its own probe.
        restarts: how often its containers were started again in place.
        ending: whether it was asked to end.
    """

    name: str
    uid: str
    ready: bool
    restarts: int
    ending: bool


class Release:
    """The chart in one namespace; see `opened`."""

    def __init__(self, namespace: str, ways: Collection[str] = WAYS) -> None:
        """Prepare; installs nothing.

        Args:
            ways: what this machine has to reach. Without Prometheus among them, there is none.
        """
        self.namespace = namespace
        self._free = Ports()
        self._ports = {name: self._free.take() for name in _FORWARDED}
        self._ways = {
            name: Forward(namespace, [self._ports[name]], to=to, there=[port])
            for name, (to, port) in _FORWARDED.items()
            if name in ways
        }

    def helm(self, *words: str, values: Mapping[str, Any] | None = None) -> Finished:
        """Run Helm on this namespace to its end; what it says of a failure is in `stderr`.

        Args:
            values: what it reads where `words` say `--values -`.
        """
        where = (f"--kube-context={kubectl.context()}", f"--namespace={self.namespace}")
        done = subprocess.run(
            [helm(), *words, *where],
            input=json.dumps(values or {}),
            capture_output=True,
            text=True,
            timeout=HELM_S,
            check=False,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def upgrade(
        self, *options: str, file: str = ALL, more: Mapping[str, Any] | None = None
    ) -> Finished:
        """`helm upgrade --install`, small.

        Args:
            options: of Helm; what they set wins.
            file: the chart's file of values.
            more: values beside those of `small`, such as passwords: no option is to hold one.
        """
        files = ("--values", str(images.CHART / file), "--values", "-")
        words = ("upgrade", "--install", NAME, str(images.CHART), *files, *options)
        values = small(images.names(), watched="prometheus" in self._ways)
        return self.helm(*words, values={**values, **(more or {})})

    def history(self) -> list[dict[str, Any]]:
        """Its revisions, oldest first; none if it is not installed."""
        done = self.helm("history", NAME, "--output", "json")
        return list(json.loads(done.stdout)) if done.code == 0 else []

    def kubectl(self, *words: str, stdin: bytes = b"", within_s: float = 120.0) -> str:
        """Run kubectl on this namespace; return what it printed.

        Raises:
            SubstrateError: it failed, or took too long.
        """
        where = f"--namespace={self.namespace}"
        return kubectl.kubectl(where, *words, stdin=stdin, within_s=within_s)

    def ask(self, *words: str) -> Any:
        """What `kubectl get …` says of this namespace, as JSON."""
        return kubectl.ask(*words, "--namespace", self.namespace)

    def pods(self, part: str) -> list[Pod]:
        """The pods of a part, by the name of its object, such as `celery-worker`."""
        return [
            _pod(each) for each in self.ask("pods", "--selector", f"{_COMPONENT}={part}")["items"]
        ]

    def ready(self, part: str, count: int = 1, *, within_s: float = READY_WITHIN_S) -> list[Pod]:
        """Return the pods of a part once there are `count`, all of them ready and none ending.

        Raises:
            NotWithin: there are not.
        """

        def look() -> list[Pod] | None:
            pods = self.pods(part)
            whole = len(pods) == count and all(each.ready and not each.ending for each in pods)
            return pods if whole else None

        what = f"{part} to have {count} pods that are ready"
        if not count:
            eventually(what, lambda: not self.pods(part), within_s=within_s, every_s=0.5)
            return []
        return list(eventually(what, look, within_s=within_s, every_s=0.5) or ())

    def scale(self, what: str, count: int) -> None:
        """`kubectl scale`; returns at once."""
        self.kubectl("scale", what, f"--replicas={count}")

    @contextmanager
    def watched(self, pod: str) -> Iterator[Callable[[], int | None]]:
        """Give a function that says with which exit code a pod has ended; None: that was not seen.

        Ask it once the pod is gone: then nobody else knows any more.
        """
        code = "{.status.containerStatuses[0].state.terminated.exitCode}{'\\n'}"
        words = ("get", "pod", pod, "--watch", f"--output=jsonpath={code}")
        with subprocess.Popen(
            kubectl.command(f"--namespace={self.namespace}", *words), stdout=subprocess.PIPE
        ) as watching:

            def ended() -> int | None:
                watching.kill()
                seen = watching.communicate(timeout=WATCH_S)[0].split()
                return int(seen[-1]) if seen else None

            try:
                yield ended
            finally:
                watching.kill()

    def claims(self) -> dict[str, str]:
        """The uid of each claim, by its name."""
        found = self.ask("persistentvolumeclaims")["items"]
        return {each["metadata"]["name"]: str(each["metadata"]["uid"]) for each in found}

    def passwords(self) -> dict[str, str]:
        """What the chart's Secret holds."""
        data = self.ask("secret", SECRET)["data"]
        return {key: base64.b64decode(value).decode() for key, value in data.items()}

    def endpoints(self) -> Endpoints:
        """Where it answers on this machine, as far as there are ways; opens them if they are not.

        Raises:
            SubstrateError: there is no way to it; it is not installed.
        """
        known = self.passwords()
        for each in self._ways.values():
            each.begin()
        for each in self._ways.values():
            each.wait()
        at = {name: f"{HOST}:{self._ports[name]}" for name in self._ways}
        urls = {
            user: f"amqp://{user}:{known[f'broker-{user}']}@{at['broker']}/%2F"
            for user in _USERS
            if "broker" in at
        }
        return Endpoints(
            api_url=f"http://{at['backend']}" if "backend" in at else "",
            api_token=known["api-token"],
            broker_urls=urls,
            management_url=f"http://{at['management']}" if "management" in at else "",
            metrics_url="",
            results_url="",
            database_url="",
            site_url="",
            prometheus_url=f"http://{at['prometheus']}" if "prometheus" in at else None,
        )

    def joined(self) -> elsewhere.Elsewhere:
        """The system as a substrate: it can be used and judged, and is left as it is."""
        return elsewhere.Elsewhere(self.endpoints())

    def close(self) -> None:
        """Have nothing of this machine lead there any more."""
        for each in self._ways.values():
            each.close()
        self._free.release()


@contextmanager
def opened(lab: str, base: Path, ways: Collection[str] = WAYS) -> Iterator[Release]:
    """A namespace for a release, with nothing in it yet; nothing is left of it after the block.

    Args:
        lab: its name, among those of labs.
        base: a folder for what is kept on this machine meanwhile.
        ways: as in `Release`.

    Raises:
        CannotRun: no cluster was named, or none answers there.
    """
    kubectl.need()
    helm()
    instance = Instance.named(lab, base)
    with keeper.in_process(instance), none_left(instance, leftovers):
        home = own.namespace(identity(instance), marks(instance))
        kubectl.kubectl("create", "--filename=-", stdin=json.dumps(home).encode())
        release = Release(identity(instance), ways)
        try:
            yield release
        finally:
            release.close()


def must(done: Finished) -> None:
    """Go on only if Helm ended well.

    Raises:
        SubstrateError: it did not; says what it said.
    """
    if done.code != 0:
        raise SubstrateError(f"helm: {done.stderr.strip() or done.stdout.strip()}")


def small(known: Mapping[str, str], *, watched: bool) -> dict[str, Any]:
    """Values beside `values-all.yaml`: the images, and no more than a small node has. Pure.

    Args:
        known: the images, by part.
        watched: whether there is a Prometheus, which then looks often.
    """
    asking = {"requests": {"cpu": "50m", "memory": "128Mi"}}
    values: dict[str, Any] = {
        "image": image_value(known[images.SYSTEM]),
        "rabbitmq": {"cpu": "50m", "diskFreeLimit": "50MB"},
        "worker": {"resources": asking},
        "backend": {"resources": asking},
        "prometheus": {"enabled": watched, "scrapeInterval": "2s", "resources": asking},
        "alertmanager": {"enabled": False},
        "exporters": {"redis": {"enabled": False}, "postgresql": {"enabled": False}},
    }
    for part, at in images.IN_CHART.items():
        place = values
        for key in at:
            place = place.setdefault(key, {})
        place["image"] = image_value(known[part])
    return values


def _pod(found: Mapping[str, Any]) -> Pod:
    pod = dict(found)
    statuses = pod["status"].get("containerStatuses", [])
    return Pod(
        name_of(pod),
        str(pod["metadata"]["uid"]),
        is_ready(pod),
        sum(each["restartCount"] for each in statuses),
        is_ending(pod),
    )
