"""Values: what makes no sense is refused with words; secrets are made or taken, and never known."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.tests.rendering import VARIANTS, RefusedValues, render, run, variant
from lab.dev.chart import CHART
from lab.dev.chart_values import values

UNKNOWN = (
    "imagetag=1", "image.tagg=1", "rabbitmq.replica=3", "rabbitmq.image.name=x",
    "worker.autoscaling.max=3", "secrets.given.guest=guestguestguestguest", "redis.password=x",
    "backend.ingress.hosts=x", "scraper.persistence.class=x", "exporters.redis.image.tags=1",
)  # fmt: skip
OUT_OF_BOUNDS = (
    "rabbitmq.replicas=2", "rabbitmq.memory=512M", "worker.aliveWithinSeconds=10",
    "worker.concurrency=0", "logLevel=debug", "secrets.given.redis=short",
    "secrets.given.database=with a space in between", "scraper.mode=both", "image.digest=sha256:1",
    "api.url=https://user:password@host", "scraper.urls={ftp://x}", "api.egressPorts={0}",
    "worker.extraEnv.PATH=x", "prometheus.persistence.size=10G", "backend.replicas=0",
    "worker.softTimeLimitSeconds=0", "backend.service.type=None", "spread=maybe",
)  # fmt: skip
NO_SENSE = {
    "worker.hardTimeLimitSeconds=30": "worker.hardTimeLimitSeconds must be more than",
    "worker.autoscaling.enabled=true,worker.keda.enabled=true": "exclude each other",
    "worker.keda.minReplicas=9": "worker.keda.minReplicas is more than",
    "rabbitmq.enabled=false": "worker.enabled needs rabbitmq.enabled",
    "backend.enabled=false": "api.url is empty and backend.enabled is false",
    "api.url=https://a.example": "choose one",
    "database.enabled=false": "database-url",
    "grafana.enabled=true,prometheus.enabled=false": "grafana.enabled needs prometheus.enabled",
}


def refusal(*settings: str) -> str:
    """Helm's words about settings that it refuses."""
    with pytest.raises(RefusedValues) as caught:
        run("template", *(word for setting in settings for word in ("--set", setting)))
    return str(caught.value)


def test_a_value_that_the_chart_does_not_know_is_refused() -> None:
    """Helm names all of them at once."""
    words = refusal(*UNKNOWN)
    for setting in UNKNOWN:
        name = setting.partition("=")[0].rpartition(".")[2]
        assert re.search(f"additional propert.*'{name}' not allowed", words), (name, words)


def test_a_value_that_is_out_of_bounds_is_refused() -> None:
    words = refusal(*OUT_OF_BOUNDS)
    for setting in OUT_OF_BOUNDS:
        path = setting.partition("=")[0].removesuffix(".PATH").replace(".", "/")
        assert f"at '/{path}" in words, (path, words)


@pytest.mark.parametrize("setting", NO_SENSE)
def test_values_that_contradict_each_other_are_refused_with_words(setting: str) -> None:
    assert NO_SENSE[setting] in refusal(setting)


def test_every_value_has_a_meaning() -> None:
    free = {"resources", "exporterResources", "dnsPodLabels"}  # Kubernetes' own
    without = [
        each.path
        for each in values((CHART / "values.yaml").read_text())
        if not each.meaning and each.path.rpartition(".")[2] not in free
    ]
    assert without == []


def _secret(*options: str) -> dict[str, str]:
    data = render(*options).get("Secret", "messaging-platform-secrets")["data"]
    return {key: base64.b64decode(value).decode() for key, value in data.items()}


def test_passwords_are_made_each_of_its_own_and_none_is_a_default() -> None:
    first, second = _secret(), _secret("--set", "secrets.revision=2")

    assert {"broker-scraper", "broker-worker", "broker-admin", "redis", "api-token"} <= set(first)
    assert len(set(first.values())) == len(first)
    assert all(re.fullmatch("[A-Za-z0-9]{32}", value) for value in first.values())
    assert not set(first.values()) & set(second.values())


def test_a_password_that_is_given_is_taken_and_restarts_the_pods() -> None:
    given = "a-password-of-ones-own"
    options = ("--set", f"secrets.given.broker-worker={given}")
    assert _secret(*options)["broker-worker"] == given

    def revision(*options: str) -> str:
        worker = render(*options).get("Deployment", "celery-worker")["spec"]["template"]
        return str(worker["metadata"]["annotations"]["platform/secrets"])

    assert revision() == revision("--set", "worker.replicas=3")  # else each upgrade would restart
    assert len({revision(), revision(*options), revision("--set", "secrets.revision=2")}) == 3
    assert given not in str(render(*options).kinds("Deployment", "StatefulSet", "ConfigMap"))


def test_the_chart_keeps_the_secret_that_it_made() -> None:
    secret = variant("all").get("Secret", "messaging-platform-secrets")
    assert secret["metadata"]["annotations"]["helm.sh/resource-policy"] == "keep"


@pytest.mark.parametrize("name", VARIANTS)
def test_every_key_that_a_pod_asks_for_is_in_the_secret_and_no_other(name: str) -> None:
    chart = variant(name)
    asked: dict[str, set[str]] = {}
    for _, _, spec in chart.pods():
        for container in (*spec.get("initContainers", ()), *spec["containers"]):
            for variable in container.get("env", ()):
                if reference := variable.get("valueFrom", {}).get("secretKeyRef"):
                    asked.setdefault(reference["name"], set()).add(reference["key"])
        for volume in spec.get("volumes", ()):
            if items := volume.get("secret", {}).get("items"):
                keys = {item["key"] for item in items}
                asked.setdefault(volume["secret"]["secretName"], set()).update(keys)
    (own,) = asked
    if name == "gke":
        assert (own, asked[own]) == ("messaging-platform", {"api-token", "database-url"})
    elif name == "everything":
        assert own == "mine"
        assert len(chart.kinds("Secret")) == 1  # Alertmanager's configuration
    else:
        assert asked[own] == set(chart.get("Secret", own)["data"])


def test_the_readme_names_every_key_of_an_existing_secret() -> None:
    readme = (CHART / "README.md").read_text()
    for key in yaml.safe_load((CHART / "values.yaml").read_text())["secrets"]["given"]:
        assert f"| `{key}` |" in readme


def test_a_values_file_sets_only_what_differs() -> None:
    """A value that repeats its default would be wrong the day that the default changes."""
    defaults = yaml.safe_load((CHART / "values.yaml").read_text())
    for file in sorted(CHART.glob("values-*.yaml")):
        assert _same(yaml.safe_load(file.read_text()), defaults) <= {"backend.replicas"}, file


def _same(some: dict[str, Any], defaults: dict[str, Any], path: str = "") -> set[str]:
    found: set[str] = set()
    for key, value in some.items():
        at = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            found |= _same(value, defaults.get(key, {}), at)
        elif value == defaults.get(key):
            found.add(at)
    return found


def test_the_chart_is_a_package_without_what_only_tests_need(tmp_path: Path) -> None:
    run("package", "--destination", str(tmp_path))
    (package,) = tmp_path.glob("messaging-platform-*.tgz")
    assert package.stat().st_size < 500_000
