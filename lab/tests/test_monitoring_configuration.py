"""What Prometheus and Alertmanager are told: by their own tools, and by what may never be in it."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from lab.clients import webhook
from lab.clients.webhook import Webhook
from lab.experiment.metrics import LabMetrics
from lab.faults import registry
from lab.monitoring import alertmanager, scrape
from lab.monitoring.rescale import scaled
from lab.monitoring.watch import RULES
from lab.substrates.local import programs
from lab.substrates.prometheus_file import placed, targets

TOKEN = "glc_this-must-be-nowhere"
ALERT = {
    "status": "firing",
    "labels": {"alertname": "BrokerDown", "instance": "broker-0"},
    "annotations": {"summary": "The broker is down"},
}


def checked(*command: str | Path) -> tuple[int, str]:
    """What a tool says of a file."""
    done = subprocess.run(
        [str(each) for each in command], capture_output=True, text=True, timeout=30, check=False
    )
    return done.returncode, done.stdout + done.stderr


def prometheus_file(folder: Path, remote_write: scrape.RemoteWrite | None = None) -> Path:
    """A whole configuration below `folder`: with the lab's rules, and one target for each job."""
    rules = []
    for source in sorted(RULES.glob("*.yaml")):
        content = scaled(yaml.safe_load(source.read_text("utf-8")), 60)
        (folder / source.name).write_text(yaml.safe_dump(content), "utf-8")
        rules.append(str(folder / source.name))
    for job in scrape.JOBS:
        listed = targets({f"{job}-0": "127.0.0.1:1"})
        (folder / f"{job}.json").write_text(json.dumps(listed), "utf-8")
    content = placed(
        scrape.configuration(remote_write),
        targets_folder=str(folder),
        rule_files=rules,
        alertmanager="127.0.0.1:9093",
    )
    path = folder / "prometheus.yml"
    path.write_text(yaml.safe_dump(content), "utf-8")
    return path


def cloud(folder: Path) -> scrape.RemoteWrite:
    """Somewhere far away, and a token for it."""
    token = folder / "token"
    token.write_text(TOKEN)
    return scrape.RemoteWrite(
        url="https://prometheus.example/api/prom/push",
        user="123456",
        password_file=str(token),
        labels={"cluster": "laptop", "env": "lab"},
    )


@pytest.mark.services
@pytest.mark.parametrize("remote", [False, True])
def test_promtool_accepts_the_configuration_and_its_rules(tmp_path: Path, remote: bool) -> None:
    path = prometheus_file(tmp_path, cloud(tmp_path) if remote else None)

    code, said = checked(programs.need("promtool"), "check", "config", path)

    assert code == 0, said
    assert f"SUCCESS: {len(list(RULES.glob('*.yaml')))} rule files found" in said
    assert len(re.findall(r"SUCCESS: [1-9]\d* rules found", said)) == len(
        list(RULES.glob("*.yaml"))
    )


@pytest.mark.services
@pytest.mark.parametrize("url", [None, "http://127.0.0.1:1/"])
def test_amtool_accepts_the_configuration(tmp_path: Path, url: str | None) -> None:
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(alertmanager.configuration(url)), "utf-8")

    code, said = checked(programs.need("amtool"), "check-config", path)

    assert code == 0, said
    assert "1 inhibit rule" in said


def test_the_token_stays_in_its_file(tmp_path: Path) -> None:
    to = cloud(tmp_path)
    content = scrape.configuration(to)

    assert TOKEN not in json.dumps(content)
    assert content["remote_write"][0]["basic_auth"]["password_file"] == to.password_file
    assert content["global"]["external_labels"] == {"cluster": "laptop", "env": "lab"}


def test_nothing_is_sent_away_unless_asked() -> None:
    content = scrape.configuration()

    assert "remote_write" not in content
    assert "external_labels" not in content["global"]


@pytest.mark.parametrize(
    ("name", "leaves"),
    [
        ("missing_table_effects_total", True),
        ("slo:sli_error:ratio_rate5m", True),
        ("rabbitmq_detailed_queue_messages_ready", True),
        ("up", True),
        ("ALERTS", True),
        ("go_gc_duration_seconds", False),
        ("prometheus_tsdb_head_series", False),
        ("erlang_vm_memory_bytes_total", False),
    ],
)
def test_only_what_is_looked_at_is_sent_away(tmp_path: Path, name: str, leaves: bool) -> None:
    content = scrape.configuration(cloud(tmp_path))
    (keep,) = content["remote_write"][0]["write_relabel_configs"]

    assert (keep["action"], keep["source_labels"]) == ("keep", ["__name__"])
    assert bool(re.fullmatch(keep["regex"], name)) == leaves


def test_what_an_alert_explains_is_told_only_by_it() -> None:
    (rule,) = alertmanager.configuration(None)["inhibit_rules"]
    alerts = yaml.safe_load((RULES / "alerts.yaml").read_text("utf-8"))
    named = {
        each.get("labels", {}).get("consequence_of")
        for group in alerts["groups"]
        for each in group["rules"]
    } - {None}

    assert rule["source_matchers"] == ['alertname="BrokerDown"']
    assert rule["target_matchers"] == ['consequence_of="BrokerDown"']
    assert named == set(alertmanager.CAUSES)


def test_each_target_is_called_by_its_name() -> None:
    listed = targets({"worker-1": "127.0.0.1:2", "worker-0": "127.0.0.1:1"})

    assert listed == [
        {"targets": ["127.0.0.1:1"], "labels": {"instance": "worker-0"}},
        {"targets": ["127.0.0.1:2"], "labels": {"instance": "worker-1"}},
    ]


@pytest.fixture
def receiver() -> Iterator[Webhook]:
    with Webhook() as made:
        yield made


def post(to: Webhook, body: bytes, **headers: str) -> int:
    """Send something to a webhook; return the status of its answer."""
    connection = HTTPConnection(urlsplit(to.url).netloc, timeout=10)
    try:
        connection.request("POST", "/", body, {k.replace("_", "-"): v for k, v in headers.items()})
        return connection.getresponse().status
    finally:
        connection.close()


def message(*alerts: dict[str, Any]) -> bytes:
    """As Alertmanager sends it."""
    return json.dumps({"version": "4", "alerts": alerts}).encode()


def test_a_webhook_keeps_what_arrived(receiver: Webhook) -> None:
    assert post(receiver, message(ALERT, {**ALERT, "status": "resolved"})) == 204

    first, second = receiver.received
    assert (first.name, first.status, second.status) == ("BrokerDown", "firing", "resolved")
    assert first.labels["instance"] == "broker-0"
    assert receiver.notices("BrokerDown", "firing") == [first]
    assert receiver.notices("BrokerDown", "firing", since=datetime.now(UTC)) == []
    assert receiver.notices("BrokerUp", "firing") == []


@pytest.mark.parametrize(
    "body", [b"nonsense", b"[]", b'{"alerts": 1}', b'{"alerts": [{}]}', b'{"alerts": ["x"]}']
)
def test_a_webhook_refuses_what_is_no_alert(receiver: Webhook, body: bytes) -> None:
    assert post(receiver, body) == 400
    assert not receiver.received


def test_a_webhook_takes_no_more_than_it_can_hold(
    receiver: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert post(receiver, b"", Content_Length=str(webhook.BODY_BYTES_MAX + 1)) == 413
    assert receiver.received.maxlen == webhook.KEPT_MAX

    monkeypatch.setattr(webhook, "KEPT_MAX", 2)
    with Webhook() as small:
        post(small, message(*(3 * [ALERT])))
        assert len(small.received) == 2


def test_a_silent_sender_does_not_hold_up_the_next(
    receiver: Webhook, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert webhook._Handler.timeout == webhook.READ_WITHIN_S
    monkeypatch.setattr(webhook._Handler, "timeout", 0.2)
    silent = HTTPConnection(urlsplit(receiver.url).netloc, timeout=10)
    silent.connect()
    try:
        assert post(receiver, message(ALERT)) == 204
    finally:
        silent.close()


def value(metrics: LabMetrics, name: str, **labels: str) -> float | None:
    """What the lab's own metrics tell."""
    return metrics.registry.get_sample_value(name, labels)


def test_a_fault_shows_while_it_is_active_also_where_it_fails() -> None:
    metrics = LabMetrics(dict)
    active = "missing_table_lab_fault_active"

    assert {value(metrics, active, fault=name) for name in registry.known()} == {0}
    with suppress(ZeroDivisionError), metrics.active("broker-killed"):
        assert value(metrics, active, fault="broker-killed") == 1
        1 / 0  # noqa: B018
    assert {value(metrics, active, fault=name) for name in registry.known()} == {0}


def test_the_lab_tells_what_the_ledger_counts_now() -> None:
    counts = {"accepted": 3, "waiting": 1}
    metrics = LabMetrics(lambda: counts)

    assert value(metrics, "missing_table_lab_messages", state="accepted") == 3
    counts["accepted"] = 4
    assert value(metrics, "missing_table_lab_messages", state="accepted") == 4


def test_the_labs_metrics_are_served_for_the_block_only() -> None:
    with LabMetrics(lambda: {"accepted": 3}).served() as address:
        connection = HTTPConnection(address, timeout=10)
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
        connection.close()

    assert 'missing_table_lab_messages{state="accepted"} 3.0' in text
    with pytest.raises(ConnectionRefusedError):
        HTTPConnection(address, timeout=1).connect()


def test_targets_that_were_read_half_written_are_read_again_soon(tmp_path: Path) -> None:
    content = yaml.safe_load(prometheus_file(tmp_path).read_text("utf-8"))
    every = [each["file_sd_configs"][0]["refresh_interval"] for each in content["scrape_configs"]]
    assert set(every) == {"5s"}
