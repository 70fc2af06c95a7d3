"""Every object of the chart, with every values file: valid, restricted, bounded."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml

from helm.tests.rendering import VARIANTS, WITH_MESSAGING, Object, render, run, variant
from lab.dev.chart import CHART

OLDEST, NEWEST = "1.29", "1.37"
NOT_KUBERNETES = {"ServiceMonitor", "PrometheusRule", "ScaledObject", "TriggerAuthentication"}
WITHOUT_LIVENESS = {"StatefulSet/rabbitmq", "StatefulSet/database"}
"""A restart makes what is slow slower."""

each_variant = pytest.mark.parametrize("name", VARIANTS)


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_every_object_is_valid_for_the_oldest_and_the_newest_kubernetes(
    version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would read two megabytes of definitions anew for each object.
    read_once = cache(kubernetes_validate.utils.schema_contents)
    monkeypatch.setattr(kubernetes_validate.utils, "schema_contents", read_once)
    different = {
        json.dumps(each): each
        for name in VARIANTS
        for each in variant(name).objects
        if each["kind"] not in NOT_KUBERNETES
    }
    assert len(different) > 60
    for each in different.values():
        kubernetes_validate.validate(each, version, strict=True)


def test_the_oldest_kubernetes_is_the_one_that_the_chart_names() -> None:
    assert yaml.safe_load((CHART / "Chart.yaml").read_text())["kubeVersion"] == f">={OLDEST}.0-0"


@pytest.mark.parametrize("name", ["all", "local", "gke"])
def test_helm_finds_nothing_to_complain_about(name: str) -> None:
    assert "0 chart(s) failed" in run("lint", "--strict", *VARIANTS[name])


@each_variant
def test_every_container_keeps_the_restricted_standard(name: str) -> None:
    """What `pod-security.kubernetes.io/enforce: restricted` asks for, and a read-only root."""
    for at, _, spec in variant(name).pods():
        assert spec["automountServiceAccountToken"] is False, at
        assert spec["enableServiceLinks"] is False, at
        assert spec["securityContext"]["runAsNonRoot"] is True, at
        assert spec["securityContext"]["runAsUser"] > 0, at
        assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, at
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec), at
        assert all("hostPath" not in volume for volume in spec.get("volumes", ())), at
    for at, container in variant(name).containers():
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }, at


@each_variant
def test_everything_that_can_grow_is_bounded(name: str) -> None:
    for at, container in variant(name).containers():
        assert {"cpu", "memory"} <= set(container["resources"]["requests"]), at
        assert "memory" in container["resources"]["limits"], at
    for at, _, spec in variant(name).pods():
        for volume in spec.get("volumes", ()):
            assert "sizeLimit" in volume.get("emptyDir", {"sizeLimit": ""}), (at, volume)
        assert spec.get("terminationGracePeriodSeconds", 30) > 0, at


@each_variant
def test_every_image_has_a_version(name: str) -> None:
    for at, container in variant(name).containers():
        assert re.fullmatch(r"[\w./-]+:[\w.-]+", container["image"]), at
        assert not container["image"].endswith(":latest"), at
        assert container["imagePullPolicy"] == "IfNotPresent", at


def test_a_digest_wins_over_the_tag() -> None:
    digest = "sha256:" + "0" * 64
    chart = render("--set", f"image.digest={digest}", "--set", "image.tag=ignored")
    worker = chart.container("Deployment", "celery-worker")
    assert worker["image"] == f"messaging-platform@{digest}"


@each_variant
def test_what_serves_has_probes_and_only_what_recovers_slowly_has_no_liveness(name: str) -> None:
    for kind in ("Deployment", "StatefulSet"):
        for each in variant(name).kinds(kind):
            at = f"{kind}/{each['metadata']['name']}"
            (container,) = each["spec"]["template"]["spec"]["containers"]
            assert "readinessProbe" in container, at
            assert ("livenessProbe" not in container) == (at in WITHOUT_LIVENESS), at
            for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
                ports = {port["name"] for port in container["ports"]}
                for how in ("tcpSocket", "httpGet"):
                    if how in container.get(probe, {}):
                        assert container[probe][how]["port"] in ports, at


@each_variant
def test_every_volume_that_is_mounted_is_there(name: str) -> None:
    chart = variant(name)
    claims = {
        each["metadata"]["name"]: {
            template["metadata"]["name"] for template in each["spec"]["volumeClaimTemplates"]
        }
        for each in chart.kinds("StatefulSet")
    }
    config_maps = {each["metadata"]["name"] for each in chart.kinds("ConfigMap")}
    for at, _, spec in chart.pods():
        kind, owner = at.split("/")
        there = {volume["name"] for volume in spec.get("volumes", ())}
        there |= claims[owner] if kind == "StatefulSet" else set()
        used = {
            mount["name"]
            for container in (*spec.get("initContainers", ()), *spec["containers"])
            for mount in container.get("volumeMounts", ())
        }
        assert used == there, at
        for volume in spec.get("volumes", ()):
            if "configMap" in volume:
                assert volume["configMap"]["name"] in config_maps, at


@each_variant
def test_no_password_is_written_into_a_pod_or_a_config_map(name: str) -> None:
    chart = variant(name)
    for at, value in _texts(chart.kinds("ConfigMap")):
        assert 'password": "@' in value or not re.search(r"(?i)password\": \"[^@]", value), at
    for at, container in chart.containers():
        for variable in container.get("env", ()):
            secret = re.search("(?i)password|_pass$|token$", variable["name"])
            assert not secret or "valueFrom" in variable, (at, variable["name"])
            assert not re.search("://[^/]*:[^$@/]+@", variable.get("value", "")), (at, variable)


def _texts(objects: list[Object]) -> Iterator[tuple[str, str]]:
    for each in objects:
        for key, value in each["data"].items():
            yield f"{each['metadata']['name']}/{key}", value


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_what_people_type_names_what_is_there(name: str) -> None:
    """The commands of docs/guides/helm.md and of the chart's notes."""
    chart = variant(name)
    chart.get("Deployment", "celery-worker")
    broker = chart.get("StatefulSet", "rabbitmq")
    service = chart.get("Service", "rabbitmq")

    assert {port["port"] for port in service["spec"]["ports"]} == {5672, 15672}
    (claim,) = broker["spec"]["volumeClaimTemplates"]
    assert claim["metadata"]["name"] == "rabbitmq-data"  # so it is rabbitmq-data-rabbitmq-0


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_claims_outlive_the_release(name: str) -> None:
    chart = variant(name)
    for each in chart.kinds("StatefulSet"):
        assert each["spec"]["persistentVolumeClaimRetentionPolicy"] == {
            "whenDeleted": "Retain",
            "whenScaled": "Retain",
        }
        assert each["spec"]["podManagementPolicy"] if each["metadata"]["name"] == "rabbitmq" else 1
    outbox = chart.get("PersistentVolumeClaim", "scraper-data")
    assert outbox["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}


@each_variant
def test_single_pods_do_not_block_a_drain_and_several_leave_one_at_a_time(name: str) -> None:
    chart = variant(name)
    budgets = {each["metadata"]["name"] for each in chart.kinds("PodDisruptionBudget")}
    several = {
        each["metadata"]["name"]
        for each in chart.kinds("Deployment", "StatefulSet")
        if each["spec"].get("replicas", 2) > 1
    }
    assert budgets == several
    for each in chart.kinds("PodDisruptionBudget"):
        assert each["spec"]["maxUnavailable"] == 1


@each_variant
def test_selectors_find_the_pods_that_they_are_for(name: str) -> None:
    chart = variant(name)
    pods: list[dict[str, Any]] = [metadata["labels"] for _, metadata, _ in chart.pods()]
    for each in chart.kinds("Service"):
        wanted = each["spec"]["selector"].items()
        assert any(wanted <= labels.items() for labels in pods), each["metadata"]["name"]
    for each in chart.kinds("Deployment", "StatefulSet"):
        labels = each["spec"]["template"]["metadata"]["labels"]
        assert each["spec"]["selector"]["matchLabels"].items() <= labels.items()


@each_variant
def test_a_new_version_of_the_chart_restarts_only_what_it_changes(name: str) -> None:
    for at, metadata, _ in variant(name).pods():
        if not at.startswith("Pod/"):
            assert not {"helm.sh/chart", "app.kubernetes.io/version"} & set(metadata["labels"]), at


@pytest.mark.parametrize(
    ("setting", "restarted"),
    [
        ("rabbitmq.diskFreeLimit=1GB", {"rabbitmq"}),
        ("redis.maxmemory=64mb", {"redis"}),
        ("prometheus.scrapeInterval=30s", {"prometheus"}),
        ("clusterDomain=other.local", {"rabbitmq", "prometheus"}),
        ("alertmanager.webhookUrl=https://hook.example", {"alertmanager"}),
        ("image.tag=2.0.0", {"backend", "celery-worker", "scraper-exporter"}),
    ],
)
def test_what_a_setting_is_about_restarts_and_nothing_else(
    setting: str, restarted: set[str]
) -> None:
    """Also where only a file that a pod mounts has changed."""

    def templates(*options: str) -> dict[str, Any]:
        workloads = render(*options).kinds("Deployment", "StatefulSet")
        return {each["metadata"]["name"]: each["spec"]["template"] for each in workloads}

    before, after = templates(), templates("--set", setting)
    assert {name for name in before if before[name] != after[name]} == restarted


@pytest.mark.parametrize("setting", ["image.tag=2.0.0", "logLevel=DEBUG", "nodeSelector.disk=ssd"])
def test_a_migration_that_differs_is_another_job(setting: str) -> None:
    """Kubernetes refuses to change a Job, and Helm the whole upgrade with it."""
    (before,), (after,) = (
        render(*options).kinds("Job") for options in ((), ("--set-string", setting))
    )
    assert before["metadata"]["name"] != after["metadata"]["name"]
    (same,) = render("--set", "worker.replicas=3").kinds("Job")
    assert same["metadata"]["name"] == before["metadata"]["name"]


def test_an_autoscaler_alone_says_how_many_workers_there_are() -> None:
    for name, kind in (("everything", "HorizontalPodAutoscaler"), ("keda", "ScaledObject")):
        chart = variant(name)
        assert "replicas" not in chart.get("Deployment", "celery-worker")["spec"]
        assert len(chart.kinds("HorizontalPodAutoscaler", "ScaledObject")) == 1
        chart.get(kind, "celery-worker")
    assert variant("all").get("Deployment", "celery-worker")["spec"]["replicas"] == 1


def test_gkes_own_controller_takes_the_ingress_of_the_cloud_half() -> None:
    """It goes by the annotation, and takes no action where there is a class by its newer name."""
    (ingress,) = variant("gke").kinds("Ingress")
    assert ingress["metadata"]["annotations"]["kubernetes.io/ingress.class"] == "gce"
    assert "ingressClassName" not in ingress["spec"]
