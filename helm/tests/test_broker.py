"""The broker of the chart: the topology of the contract, and for each user the rights of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from helm.tests.rendering import WITH_MESSAGING, Object, variant
from system.contract import topology
from system.contract.definitions import definitions

USERS: dict[str, Callable[[str], topology.User]] = {
    "scraper": topology.scraper,
    "worker": topology.worker,
    "operator": topology.operator,
    "admin": topology.administrator,
    "earlier-sender": topology.earlier_sender,
    "monitor": topology.monitor,
}


def prepared(config: Object, folder: Path, **passwords: str) -> subprocess.CompletedProcess[str]:
    """Run what the init container runs, in a folder of its own."""
    for name in ("run/secrets/platform", "config", "definitions", "var/lib/rabbitmq"):
        (folder / name).mkdir(parents=True)
    for key, text in config["data"].items():
        (folder / "config" / key).write_text(text)
    keys = {f"broker-{name}": f"password-of-{name}-1._~" for name in USERS}
    for key, password in {**keys, "erlang-cookie": "secret", **passwords}.items():
        (folder / "run/secrets/platform" / key).write_text(password)
    script = config["data"]["prepare.sh"]
    for path in ("/run/secrets/platform", "/config/", "/definitions/", "/var/lib/rabbitmq"):
        assert path in script
        script = script.replace(path, f"{folder}{path}")
    return subprocess.run(
        ["sh", "-c", script], capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_what_the_broker_loads_is_the_contracts_topology_with_the_secrets_passwords(
    name: str, tmp_path: Path
) -> None:
    done = prepared(variant(name).get("ConfigMap", "rabbitmq"), tmp_path)
    assert done.returncode == 0, done.stderr
    loaded: dict[str, Any] = json.loads((tmp_path / "definitions/definitions.json").read_text())

    events = name == "everything"
    expected_users = ["scraper", "worker", "operator", "admin"]
    expected_users += ["earlier-sender", "monitor"] if events else []
    users = [
        topology.worker("", events=events) if user == "worker" else USERS[user]("")
        for user in expected_users
    ]
    expected = definitions(users, events=events)
    for part in ("vhosts", "exchanges", "queues", "bindings", "policies", "permissions"):
        assert loaded[part] == expected[part], part
    assert {user["name"]: user["password"] for user in loaded["users"]} == {
        user: f"password-of-{user}-1._~" for user in expected_users
    }
    assert {user["name"]: user["tags"] for user in loaded["users"]} == {
        user["name"]: user["tags"] for user in expected["users"]
    }
    assert not (tmp_path / "definitions/passwords").exists()
    cookie = tmp_path / "var/lib/rabbitmq/.erlang.cookie"
    assert (cookie.read_text(), cookie.stat().st_mode & 0o777) == ("secret", 0o400)


@pytest.mark.parametrize("password", ["", "with space", 'quote"', "bar|", "line\nline", "é"])
def test_a_password_that_would_have_to_be_escaped_stops_the_start(
    password: str, tmp_path: Path
) -> None:
    config = variant("all").get("ConfigMap", "rabbitmq")
    done = prepared(config, tmp_path, **{"broker-worker": password})
    assert done.returncode == 1
    assert "broker-worker in the Secret messaging-platform-secrets is empty, or has" in done.stderr


@pytest.mark.parametrize(("name", "nodes"), [("all", 1), ("everything", 3)])
def test_the_broker_knows_its_memory_and_its_neighbours(name: str, nodes: int) -> None:
    chart = variant(name)
    broker = chart.get("StatefulSet", "rabbitmq")
    spec = broker["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    conf = dict(
        line.split(" = ")
        for line in chart.get("ConfigMap", "rabbitmq")["data"]["rabbitmq.conf"].splitlines()
        if line and not line.startswith("#")
    )

    assert broker["spec"]["replicas"] == nodes
    assert broker["spec"]["podManagementPolicy"] == "Parallel"
    assert container["resources"]["limits"]["memory"] == "512Mi"
    assert container["resources"]["requests"]["memory"] == "512Mi"
    assert conf["total_memory_available_override_value"] == "512MiB"
    names = [value for key, value in conf.items() if "classic_config" in key and "nodes" in key]
    assert names == (
        [
            f"rabbit@rabbitmq-{index}.rabbitmq-nodes.messaging.svc.cluster.local"
            for index in range(nodes)
        ]
        if nodes > 1
        else []
    )
    headless = chart.get("Service", broker["spec"]["serviceName"])["spec"]
    assert (headless["clusterIP"], headless["publishNotReadyAddresses"]) == ("None", True)


@pytest.mark.parametrize("name", ["all", "everything"])
def test_the_broker_is_ready_by_tcp_never_restarted_and_its_end_is_bounded(name: str) -> None:
    spec = variant(name).get("StatefulSet", "rabbitmq")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (_, _, script) = container["lifecycle"]["preStop"]["exec"]["command"]

    assert container["readinessProbe"]["tcpSocket"] == {"port": "amqp"}
    assert "livenessProbe" not in container
    assert script.startswith("timeout 60 sh -c '")
    assert script.endswith("rabbitmq-upgrade drain' || true")
    assert ("await_online_quorum_plus_one;" in script) == (name == "everything")
    assert spec["terminationGracePeriodSeconds"] > 60
    subprocess.run(["sh", "-n", "-c", script], check=True, timeout=120)
