"""Monitoring and network in the chart: the lab's own rules, a target for each job, needed links."""

from __future__ import annotations

import base64
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from helm.tests.rendering import VARIANTS, WITH_MESSAGING, Chart, render, variant
from lab.dev.rules import RULES
from lab.monitoring import alertmanager, scrape

each_variant = pytest.mark.parametrize("name", VARIANTS)
PROMTOOL, AMTOOL = "promtool", "amtool"


def _jobs(chart: Chart) -> dict[str, Any]:
    text = chart.get("ConfigMap", "prometheus")["data"]["prometheus.yml"]
    return {job["job_name"]: job for job in yaml.safe_load(text)["scrape_configs"]}


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_prometheus_takes_its_configuration_and_the_labs_own_rules(
    name: str, tmp_path: Path
) -> None:
    chart = variant(name)
    check_configuration(chart, tmp_path)
    rules = chart.get("ConfigMap", "prometheus-rules")["data"]
    assert {file: yaml.safe_load(text) for file, text in rules.items()} == {
        file.name: yaml.safe_load(file.read_text()) for file in RULES.glob("*.yaml")
    }


@pytest.mark.parametrize("interval", ["2s", "1m"])
def test_prometheus_may_read_as_often_as_one_likes(interval: str, tmp_path: Path) -> None:
    """Its time-out must not be longer than its interval, and is 10 s if nothing is said."""
    chart = render("--set", f"prometheus.scrapeInterval={interval}")
    check_configuration(chart, tmp_path)


def check_configuration(chart: Chart, folder: Path) -> None:
    """Prometheus has to take its configuration and its rules."""
    (folder / "rules").mkdir()
    for file, text in chart.get("ConfigMap", "prometheus-rules")["data"].items():
        (folder / "rules" / file).write_text(text)
    text = chart.get("ConfigMap", "prometheus")["data"]["prometheus.yml"]
    (folder / "prometheus.yml").write_text(text.replace("/etc/prometheus", str(folder)))
    done = subprocess.run(
        [PROMTOOL, "check", "config", str(folder / "prometheus.yml")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_every_job_that_the_rules_ask_for_has_a_target(name: str) -> None:
    jobs = _jobs(variant(name))
    optional = {"flower", "postgresql"}
    expected = set(scrape.JOBS) - {"lab"} - (set() if name == "everything" else {"flower"})
    assert expected - optional <= set(jobs) <= expected
    for job in jobs.values():
        assert ("dns_sd_configs" in job) != ("static_configs" in job), job
    assert jobs["rabbitmq-detailed"]["params"]["family"] == [
        "queue_coarse_metrics",
        "queue_consumer_count",
        "exchange_bindings",
    ]


def test_the_messaging_half_watches_the_backend_where_it_is() -> None:
    backend = _jobs(variant("local"))["backend"]
    assert backend["scheme"] == "https"
    assert backend["static_configs"] == [{"targets": ["api.missing-table.example"]}]


@pytest.mark.parametrize("name", ["all", "everything"])
def test_alertmanager_takes_its_configuration_and_suppresses_what_is_explained(
    name: str, tmp_path: Path
) -> None:
    data = variant(name).get("Secret", "alertmanager")["data"]["alertmanager.yml"]
    text = base64.b64decode(data).decode()
    found = yaml.safe_load(text)

    assert found["inhibit_rules"] == alertmanager.configuration(None)["inhibit_rules"]
    (receiver,) = found["receivers"]
    assert ("webhook_configs" in receiver) == (name == "everything")
    if shutil.which(AMTOOL):
        (tmp_path / "alertmanager.yml").write_text(text)
        check = [AMTOOL, "check-config", str(tmp_path / "alertmanager.yml")]
        subprocess.run(check, check=True, capture_output=True, timeout=120)


def test_a_prometheus_operator_gets_the_same_jobs_and_rules() -> None:
    chart = variant("everything")
    jobs = {
        rule["replacement"]
        for monitor in chart.kinds("ServiceMonitor")
        for endpoint in monitor["spec"]["endpoints"]
        for rule in endpoint["relabelings"]
    }
    assert jobs == set(scrape.JOBS) - {"lab", "prometheus", "alertmanager"}
    services = chart.kinds("Service")
    for monitor in chart.kinds("ServiceMonitor"):
        assert monitor["metadata"]["labels"]["release"] == "kps"
        wanted = monitor["spec"]["selector"]["matchLabels"].items()
        (service,) = (one for one in services if wanted <= one["metadata"]["labels"].items())
        assert "metrics" in {port["name"] for port in service["spec"]["ports"]}
    (rules,) = chart.kinds("PrometheusRule")
    groups = [
        group
        for file in sorted(RULES.glob("*.yaml"))
        for group in yaml.safe_load(file.read_text())["groups"]
    ]
    assert rules["spec"]["groups"] == groups


def _policies(chart: Chart) -> dict[str, Any]:
    return {each["metadata"]["name"]: each["spec"] for each in chart.kinds("NetworkPolicy")}


@each_variant
def test_every_pod_is_denied_everything_and_then_given_what_it_needs(name: str) -> None:
    chart = variant(name)
    policies = _policies(chart)
    deny = policies.pop("messaging-platform-default-deny")

    assert deny["ingress"] == []
    assert [port["port"] for port in deny["egress"][0]["ports"]] == [53, 53]
    for at, metadata, _ in chart.pods():
        assert deny["podSelector"]["matchLabels"].items() <= metadata["labels"].items(), at
        own = [
            policy
            for policy in policies.values()
            if policy["podSelector"]["matchLabels"].items() <= metadata["labels"].items()
        ]
        assert len(own) == 1, at
        assert own[0]["policyTypes"] == ["Ingress", "Egress"]


@each_variant
def test_every_link_is_allowed_at_both_ends_and_to_a_port_that_is_there(name: str) -> None:
    chart = variant(name)
    component = "app.kubernetes.io/component"
    arriving, leaving = set(), set()
    for policy in _policies(chart).values():
        if component not in policy["podSelector"]["matchLabels"]:
            continue
        here = policy["podSelector"]["matchLabels"][component]
        for rule in policy.get("ingress") or ():
            for peer in rule.get("from", ()):
                if "podSelector" in peer:
                    there = peer["podSelector"]["matchLabels"][component]
                    arriving |= {(there, here, port["port"]) for port in rule["ports"]}
        for rule in policy.get("egress") or ():
            for peer in rule.get("to", ()):
                there = peer["podSelector"]["matchLabels"][component]
                leaving |= {(here, there, port["port"]) for port in rule["ports"]}
    assert arriving == leaving
    ports = {
        metadata["labels"][component]: {
            port["containerPort"]
            for container in spec["containers"]
            for port in container.get("ports", ())
        }
        for _, metadata, spec in chart.pods()
    }
    commands = {35672}  # the first of the ports on which a command waits for every node's answer
    for _, to, port in arriving:
        assert port in ports[to] | (commands if to == "rabbitmq" else set()), (to, port)


def test_every_node_of_the_broker_may_answer_a_command_that_is_typed_on_one_of_them() -> None:
    """Else `rabbitmqctl list_queues` waits for its time-out: seen on three nodes."""
    broker = _policies(variant("everything"))["rabbitmq"]
    answers = {"protocol": "TCP", "port": 35672, "endPort": 35682}
    for rules, peers in ((broker["ingress"], "from"), (broker["egress"], "to")):
        assert [answers] in [rule["ports"] for rule in rules if peers in rule]


def test_only_what_has_to_reaches_out() -> None:
    def outside(name: str) -> dict[str, list[int]]:
        return {
            part: [port["port"] for rule in policy["egress"] or () if "to" not in rule
                   for port in rule["ports"]]
            for part, policy in _policies(variant(name)).items()
            if any("to" not in rule for rule in policy["egress"] or ())
        }  # fmt: skip

    assert outside("all") == {"scraper": [443, 80]}
    assert outside("local") == {
        "scraper": [443, 80],
        "celery-worker": [443],
        "prometheus": [443],
    }
    assert outside("gke") == {"backend": [5432], "backend-migrate": [5432]}
    assert "alertmanager" in outside("everything")


def test_the_backend_is_open_to_all_only_if_it_is_public() -> None:
    def is_open(name: str) -> bool:
        return any("from" not in rule for rule in _policies(variant(name))["backend"]["ingress"])

    assert not is_open("all")
    assert is_open("gke")
    assert is_open("everything")  # it has an Ingress
