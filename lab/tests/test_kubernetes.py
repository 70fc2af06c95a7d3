"""Labs on a cluster: never on one that was not named, and what becomes of the chart's objects."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from lab.errors import CannotRun
from lab.monitoring import watch
from lab.paths import PROJECT
from lab.substrates.containers import addresses
from lab.substrates.containers.identity import identity, marks
from lab.substrates.containers.images import SYSTEM, Images, names
from lab.substrates.containers.stack import (
    API,
    BROKER,
    CONTROL,
    DATABASE,
    OF_SCRAPER,
    RESULTS,
    RUNNER,
    SITE,
    Stack,
    relay_port,
)
from lab.substrates.docker.docker import Docker
from lab.substrates.kubernetes import chart, doctor, fitted, jobs, kubectl, leftovers, own, startup
from lab.substrates.kubernetes.kubernetes import Kubernetes
from lab.substrates.kubernetes.objects import PART
from lab.substrates.kubernetes.policies import of_job
from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import Ports
from lab.substrates.plan import Link, Plan, Role
from lab.substrates.provider import CONTEXT
from lab.tests.outliving import killed_after, sweep_the_dead_alone
from lab.wait import eventually

CLUSTER = "1.33"
"""For which objects are checked; the chart's tests do the same."""
PLAN = Plan(seed=7, matches=40, workers=2, relayed=frozenset(Link))
SWEPT_WITHIN_S = 240.0


@contextmanager
def stack_of(plan: Plan) -> Iterator[Stack]:
    """A lab that is only described."""
    known = names({})
    system = known.pop(SYSTEM)
    free = Ports()
    try:
        yield Stack("lab-x", plan, Images(system, known, system), free)
    finally:
        free.release()


@pytest.fixture(scope="module")
def made() -> list[dict[str, Any]]:
    """Every object of a lab that watches, and whose links can be broken."""
    plan = replace(PLAN, monitoring=watch.monitoring(), settings={Role.API: {"A_SETTING": "on"}})
    with stack_of(plan) as stack:
        stack.publish(RUNNER, CONTROL, *map(relay_port, OF_SCRAPER))
        rendered = chart.rendered(stack, "lab-x")
        first, then = fitted.fitted(stack, rendered)
        workers = [each for index in (0, 1) for each in fitted.worker(stack, rendered, index)]
        everything = [*own.objects(stack, addresses.passed_on(stack)), *first, *then, *workers]
        parts = [found.part for each in everything if (found := fitted.controller(each))]
        return [own.namespace("lab-x", {"a": "b"}), *everything, fitted.targets(stack, parts)]


def find(made: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    """One object."""
    (found,) = (each for each in made if (each["kind"], each["metadata"]["name"]) == (kind, name))
    return found


def pods(made: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The descriptions of all parts' pods, by part."""
    return {
        found.part: each["spec"]["template"]["spec"]
        for each in made
        if (found := fitted.controller(each))
    }


def environment(pod: dict[str, Any]) -> dict[str, str]:
    """The variables of a pod's container that have a value."""
    return {each["name"]: each.get("value", "") for each in pod["containers"][0]["env"]}


def test_what_a_job_beside_a_lab_is_made_of_is_what_a_cluster_takes() -> None:
    for each in (
        own.job("load", "image:1", ["sh", "-c", "true"], jobs.JOB, 60.0),
        of_job("load", jobs.JOB),
    ):
        kubernetes_validate.validate(each, CLUSTER, strict=True)


def test_a_job_beside_a_lab_calls_each_part_by_its_name() -> None:
    with stack_of(PLAN) as stack:
        stack.publish(RUNNER, CONTROL, *map(relay_port, OF_SCRAPER))
        for part in (BROKER, RESULTS, DATABASE, API, SITE):
            stack.publish(part, *own.PORTS[part])
        ends = jobs.within(addresses.endpoints(stack))
    assert ends.api_url == "http://api-0:8000"
    assert ends.management_url == "http://broker-0:15672"
    for user, url in ends.broker_urls.items():
        assert url.startswith(f"amqp://{user}:")
        assert url.endswith("@broker-0:5672/%2F")


EXPERIMENTS = sorted((PROJECT / "chaos" / "kubernetes").glob("*.yaml"))


def called(experiment: Path) -> list[tuple[str, dict[str, Any]]]:
    """Each function that an experiment calls in its method, and with what."""
    steps = yaml.safe_load(experiment.read_text("utf-8"))["method"]
    calls = [each["provider"] for each in steps]
    return [(each["func"], each.get("arguments", {})) for each in calls]


@pytest.mark.parametrize("experiment", EXPERIMENTS, ids=lambda path: path.stem)
def test_what_an_experiment_names_on_a_cluster_is_there(
    experiment: Path, made: list[dict[str, Any]]
) -> None:
    """A part that is misspelt would be seen only on a cluster, by an experiment that fails."""
    kinds = {
        found.part: found.object.partition("/")[0]
        for each in made
        if (found := fitted.controller(each))
    }
    named = 0
    for func, given in called(experiment):
        for part in given.get("parts", []):
            named += 1
            assert kinds[part] == "deployment" or func not in ("scale_to", "roll_out")
        for address in (given[key] for key in ("address", "beside") if key in given):
            host, _, port = address.partition(":")
            ports = find(made, "Service", host)["spec"]["ports"]
            assert int(port) in [each["port"] for each in ports]
    assert named


def test_the_policy_that_an_experiment_changes_allows_what_it_takes_away(
    made: list[dict[str, Any]],
) -> None:
    """And no other policy of the workers' pods allows it, too: they would still connect."""
    given = next(
        given for each in EXPERIMENTS for func, given in called(each) if func == "cut_by_policy"
    )
    component = "app.kubernetes.io/component"
    of = find(made, "NetworkPolicy", given["policy"])
    assert of["spec"]["podSelector"]["matchLabels"][component] == "celery-worker"
    allowing = [
        each["metadata"]["name"]
        for each in made
        if each["kind"] == "NetworkPolicy"
        for rule in each["spec"].get("egress") or []
        for peer in rule.get("to", [])
        if peer.get("podSelector", {}).get("matchLabels", {}).get(component) == given["component"]
    ]
    assert allowing.count(given["policy"]) == 1
    for part in given["parts"]:
        deployment = find(made, "Deployment", f"celery-{part}")
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        assert labels[component] == "celery-worker"


def test_the_lab_acts_on_no_cluster_that_was_not_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a name it refuses, though there may be a current context, and starts no program."""
    monkeypatch.delenv(CONTEXT, raising=False)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was started"))
    for act in (kubectl.need, lambda: kubectl.kubectl("get", "pods"), lambda: kubectl.command()):
        with pytest.raises(CannotRun, match=r"was not named.*--context NAME"):
            act()


@pytest.mark.parametrize("kind", [Docker, Kubernetes])
@pytest.mark.parametrize(
    ("plan", "what"),
    [
        (replace(PLAN, flower=True), "Flower"),
        (replace(PLAN, dashboards={}), "Grafana"),
        (replace(PLAN, brokers=3), "a cluster of brokers"),
    ],
    ids=["flower", "grafana", "brokers"],
)
def test_what_only_labs_of_processes_have_is_refused_before_anything_starts(
    kind: type[Docker | Kubernetes],
    plan: Plan,
    what: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: pytest.fail("a program was started"))
    place = kind(Instance.named("refused", tmp_path))
    with pytest.raises(CannotRun, match=f"the {kind.name} substrate does not run {what};"):
        place.up(plan)


def test_every_command_names_the_context(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(CONTEXT, "mine")
    assert kubectl.command("get", "pods") == ["kubectl", "--context=mine", "get", "pods"]
    assert "--context=mine" in leftovers.removal("lab-x")


def test_a_context_that_does_not_exist_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "kubectl").write_text(
        "#!/bin/sh\necho 'context \"none\" does not exist' >&2; exit 1\n"
    )
    (tmp_path / "kubectl").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setenv(CONTEXT, "none")
    with pytest.raises(CannotRun, match=r"context 'none'.*does not exist.*--substrate local"):
        kubectl.need()


def test_every_object_is_one_that_a_cluster_takes(made: list[dict[str, Any]]) -> None:
    for each in made:
        kubernetes_validate.validate(each, CLUSTER, strict=True)


def test_each_part_has_a_controller_and_a_name_of_its_own(made: list[dict[str, Any]]) -> None:
    parts = pods(made)
    assert {"broker-0", "api-0", "worker-0", "worker-1", "runner", "site-0"} <= set(parts)
    selectors = [
        json.dumps(each["spec"]["selector"], sort_keys=True)
        for each in made
        if fitted.controller(each)
    ]
    assert len(set(selectors)) == len(parts)
    services = {each["metadata"]["name"] for each in made if each["kind"] == "Service"}
    assert {part for part in parts if not part.startswith("worker")} <= services


def test_a_signal_reaches_all_processes_and_no_probe_mends_what_it_did(
    made: list[dict[str, Any]],
) -> None:
    for part, pod in pods(made).items():
        assert pod["shareProcessNamespace"], part
        assert all("livenessProbe" not in each for each in pod["containers"]), part


def test_a_workers_counters_outlive_its_pod(made: list[dict[str, Any]]) -> None:
    for part in ("worker-0", "worker-1"):
        pod = pods(made)[part]
        folder = environment(pod)["MISSING_TABLE_METRICS_FOLDER"]
        (mount,) = (
            each
            for each in pod["containers"][0]["volumeMounts"]
            if folder.startswith(each["mountPath"])
        )
        (volume,) = (each for each in pod["volumes"] if each["name"] == mount["name"])
        claim = volume["persistentVolumeClaim"]["claimName"]
        assert part in claim
        assert find(made, "PersistentVolumeClaim", claim)


def test_links_of_the_plan_lead_through_the_runner_and_others_do_not(
    made: list[dict[str, Any]],
) -> None:
    worker = environment(pods(made)["worker-0"])
    at = {link: f"{RUNNER}:{relay_port(link)}" for link in Link}
    assert at[Link.WORKER_BROKER] in worker["MISSING_TABLE_BROKER_URL"]
    assert at[Link.WORKER_RESULTS] in worker["MISSING_TABLE_RESULT_URL"]
    assert worker["MISSING_TABLE_API_URL"] == f"http://{at[Link.WORKER_API]}"
    assert at[Link.API_DATABASE] in environment(pods(made)["api-0"])["MISSING_TABLE_DATABASE_URL"]
    with stack_of(replace(PLAN, relayed=frozenset())) as stack:
        rendered = chart.rendered(stack, "lab-x")
        _, direct = fitted.worker(stack, rendered, 0)
    known = environment(direct["spec"]["template"]["spec"])
    assert known["MISSING_TABLE_API_URL"] == "http://backend:80"
    assert "@rabbitmq:5672" in known["MISSING_TABLE_BROKER_URL"]


def test_settings_of_the_plan_reach_their_role_alone(made: list[dict[str, Any]]) -> None:
    assert [p for p, pod in pods(made).items() if "A_SETTING" in json.dumps(pod)] == ["api-0"]


def test_a_wrapper_starts_in_place_of_its_role_with_the_labs_code() -> None:
    plan = replace(PLAN, wrapper={Role.WORKER: "system.tests.weakened.refusing"})
    with stack_of(plan) as stack:
        _, made = fitted.worker(stack, chart.rendered(stack, "lab-x"), 0)
        (packed,) = (
            each["binaryData"]["lab.zip"]
            for each in own.objects(stack, [])
            if "lab.zip" in each.get("binaryData", {})
        )
    pod = made["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert container["args"] == ["system.tests.weakened.refusing", "system.worker"]
    assert environment(pod)["PYTHONPATH"] == container["workingDir"]
    with zipfile.ZipFile(BytesIO(base64.b64decode(packed))) as archive:
        files = set(archive.namelist())
    assert {"lab/substrates/containers/inside.py", "system/tests/weakened/refusing.py"} <= files
    assert len(packed) < 1024 * 1024, "a ConfigMap has no room for more"


def test_prometheus_scrapes_every_part_by_its_name(made: list[dict[str, Any]]) -> None:
    data = find(made, "ConfigMap", fitted.TARGETS)["data"]
    instances = {
        target["labels"]["instance"] for file in data.values() for target in json.loads(file)
    }
    assert {"broker-0", "api-0", "worker-0", "worker-1", "scraper-exporter-0"} <= instances
    config = yaml.safe_load(find(made, "ConfigMap", "prometheus")["data"]["prometheus.yml"])
    named = {
        job["file_sd_configs"][0]["files"][0].rpartition("/")[2] for job in config["scrape_configs"]
    }
    assert named == set(data)


def test_passwords_are_in_secrets_and_in_no_other_object() -> None:
    with stack_of(PLAN) as stack:
        rendered = chart.rendered(stack, "lab-x")
        first, then = fitted.fitted(stack, rendered)
        everything = [*own.objects(stack, addresses.passed_on(stack)), *first, *then]
        secrets = set(stack.passwords.values())
    assert len(secrets) > 8
    for each in everything:
        if each["kind"] != "Secret":
            assert not [one for one in secrets if one in json.dumps(each)], each["metadata"]


@pytest.mark.parametrize(
    ("reason", "seen"),
    [
        ("ErrImagePull", "has no image some:tag and cannot pull it"),
        ("CreateContainerConfigError", "no such key"),
        ("ContainerCreating", ""),
    ],
)
def test_what_will_never_start_is_seen_at_once(reason: str, seen: str) -> None:
    waiting = {"waiting": {"reason": reason, "message": "no such key"}}
    status = {"state": waiting, "image": "some:tag", "restartCount": 0}
    pod = {
        "metadata": {"name": "x", "labels": {PART: "api-0"}},
        "status": {"containerStatuses": [status]},
    }
    why = startup.hopeless(pod)
    assert why.startswith("api-0:") if seen else not why
    assert seen in why


@pytest.mark.parametrize(
    ("version", "running", "by"),
    [
        ("v1.33.1+k3s1", ["coredns-1"], "K3s"),
        ("v1.33.1", ["calico-node-x"], "calico"),
        ("v1.33.1", ["coredns-1"], ""),
    ],
)
def test_the_doctor_says_what_enforces_policies_or_that_it_does_not_know(
    version: str, running: list[str], by: str
) -> None:
    assert doctor.enforcer(version, running) == by


def test_the_doctor_without_a_context_says_how_to_name_one(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(CONTEXT, raising=False)
    (missing,) = (each for each in doctor.examine(tmp_path) if each.what == "context")
    assert missing.state == "missing"
    assert "--context NAME" in missing.cure


@pytest.mark.slow
def test_phase_2_without_a_cluster_shows_what_needs_none_and_says_what_the_rest_needs(
    tmp_path: Path,
) -> None:
    """The half that Helm alone can show holds; the other is not asked, and says why."""
    environment = {key: value for key, value in os.environ.items() if key != CONTEXT}
    done = subprocess.run(
        [sys.executable, "-m", "lab", "phase", "2"],
        cwd=tmp_path,
        env={**environment, "PYTHONPATH": str(PROJECT), "KUBECONFIG": str(tmp_path / "none")},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-5000:]
    claims = json.loads((tmp_path / ".runs/latest/evidence.json").read_text())["claims"]
    asked = {each["name"]: each["verdict"] for each in claims if not each["lacking"]}
    not_asked = [each["lacking"] for each in claims if each["lacking"]]
    assert len(asked) >= 14
    assert set(asked.values()) == {"valid"}
    assert len(not_asked) >= 10
    assert all("it needs a cluster" in why and "CONTEXT=NAME" in why for why in not_asked)


@pytest.mark.kubernetes
@pytest.mark.timeout(900)
def test_nothing_is_left_of_a_lab_whose_process_was_killed(tmp_path: Path) -> None:
    """A lab that is killed with SIGKILL leaves no namespace, and so nothing in it."""
    with killed_after("kubernetes", tmp_path) as lab:
        assert len(volumes_of(lab)) > 2
    eventually("nothing to be left", lambda: not left_of(lab), within_s=SWEPT_WITHIN_S, every_s=1)
    eventually("no volume to be left", lambda: not volumes_of(lab), within_s=60, every_s=1)


@pytest.mark.kubernetes
@pytest.mark.timeout(600)
def test_what_even_that_left_is_swept_by_the_next_lab_and_what_lives_is_not(
    tmp_path: Path,
) -> None:
    """A dead lab's namespace goes when another lab starts; that of a living one stays."""

    def make(lab: Instance) -> None:
        home = json.dumps(own.namespace(identity(lab), marks(lab))).encode()
        kubectl.kubectl("create", "--filename=-", stdin=home)

    sweep_the_dead_alone(tmp_path, leftovers, make, left_of)


def left_of(lab: str) -> str:
    """The namespace of a lab, if it is there."""
    return kubectl.kubectl("get", "namespace", lab, "--ignore-not-found", "--output=name").strip()


def volumes_of(lab: str) -> list[str]:
    """The volumes that a lab's claims have."""
    return [
        str(each["metadata"]["name"])
        for each in kubectl.ask("persistentvolumes")["items"]
        if each["spec"].get("claimRef", {}).get("namespace") == lab
    ]
