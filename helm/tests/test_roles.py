"""The system's roles in the chart: commands, settings and time to end are the system's own."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from helm.tests.rendering import (
    API_ELSEWHERE,
    VARIANTS,
    WITH_MESSAGING,
    environment,
    render,
    variant,
)
from system.contract.submission import WORKERS_BATCH
from system.settings import BackendSettings, ScraperSettings, WorkerSettings, described, load

PASSWORD = "p" * 20
SECRETS = dict.fromkeys(("broker-worker", "broker-scraper", "redis", "database"), PASSWORD)


def settings_of(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory, given: dict[str, str]
) -> None:
    """Set a container's environment, with files for what it takes from files."""
    folder = tmp_path_factory.mktemp("secrets")
    for name, value in given.items():
        if name.endswith("_FILE") and value.startswith("/run/secrets/"):
            file = folder / value.rpartition("/")[2]
            file.write_text(f"postgresql://{PASSWORD}" if "DATABASE" in name else PASSWORD)
            value = str(file)
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_the_workers_settings_are_ones_that_a_worker_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    container = variant(name).container("Deployment", "celery-worker")
    given = environment(container, SECRETS)
    settings_of(monkeypatch, tmp_path_factory, given)

    settings = load(WorkerSettings)

    assert container["args"] == ["system.worker"]
    assert "command" not in container
    _known(given, WorkerSettings)
    assert _value(settings.broker_url) == f"amqp://worker:{PASSWORD}@rabbitmq:5672/%2F"
    assert _value(settings.result_url) == f"redis://:{PASSWORD}@redis:6379/0"
    assert settings.metrics_host == "0.0.0.0"  # noqa: S104 - in the pod's own network
    assert settings.task_events == (name == "everything")
    assert settings.batch_size == WORKERS_BATCH
    if name == "local":
        assert settings.api_url == "https://api.missing-table.example"
    else:
        assert settings.api_url == "http://backend:80"


@pytest.mark.parametrize("name", VARIANTS)
def test_the_backends_settings_are_ones_that_it_takes_and_its_migration_has_the_same(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    chart = variant(name)
    if name == "local":
        assert not [each for each in chart.objects if "backend" in each["metadata"]["name"]]
        return
    container = chart.container("Deployment", "backend")
    (job,) = chart.kinds("Job")
    migration = chart.container("Job", job["metadata"]["name"])
    given = environment(container, SECRETS)
    settings_of(monkeypatch, tmp_path_factory, given)

    load(BackendSettings)

    _known(given, BackendSettings)
    assert container["args"][:2] == ["system.backend", "serve"]
    assert migration["args"] == ["system.backend", "migrate"]
    assert environment(migration, SECRETS).items() <= given.items()
    assert migration["image"] == container["image"]
    assert "helm.sh/hook" not in job["metadata"].get("annotations", {})


@pytest.mark.parametrize("name", WITH_MESSAGING)
def test_the_scrapers_settings_are_ones_that_it_takes(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    container = variant(name).container("CronJob", "scraper")
    given = environment(container, SECRETS)
    settings_of(monkeypatch, tmp_path_factory, given)

    settings = load(ScraperSettings)

    _known(given, ScraperSettings)
    assert container["args"][:3] == ["system.scraper", "scrape", "--mode=queue"]
    assert _value(settings.broker_url) == f"amqp://scraper:{PASSWORD}@rabbitmq:5672/%2F"
    exporter = variant(name).container("Deployment", "scraper-exporter")
    assert exporter["args"][:2] == ["system.scraper", "metrics"]
    same = ("OUTBOX", "METRICS_FOLDER", "SCRAPE_INTERVAL_S")
    for variable in same:
        assert (
            environment(exporter, {})[f"MISSING_TABLE_{variable}"]
            == (given[f"MISSING_TABLE_{variable}"])
        )


def _known(
    given: dict[str, str], kind: type[WorkerSettings | BackendSettings | ScraperSettings]
) -> None:
    ours = {name.removesuffix("_FILE") for name in given if name.startswith("MISSING_TABLE_")}
    files = {"MISSING_TABLE_READY", "MISSING_TABLE_ALIVE"}  # whose own names end so
    known = {name.removesuffix("_FILE") for name, _, _ in described(kind)}
    assert ours - files <= known


def _value(secret: SecretStr | None) -> str:
    assert secret is not None
    return secret.get_secret_value()


@pytest.mark.parametrize(
    ("pre_stop", "soft", "hard", "slack"), [(0, 30, 40, 20), (5, 30, 40, 20), (10, 300, 330, 60)]
)
def test_a_worker_has_time_to_finish_whatever_it_has_begun(
    pre_stop: int, soft: int, hard: int, slack: int
) -> None:
    """Celery starts the clock of the hard limit when the soft one is reached: they add up."""
    chart = render(
        *("--set", f"worker.preStopSeconds={pre_stop}", "--set", f"worker.slackSeconds={slack}"),
        *("--set", f"worker.softTimeLimitSeconds={soft}"),
        *("--set", f"worker.hardTimeLimitSeconds={hard}"),
    )
    pod = chart.get("Deployment", "celery-worker")["spec"]["template"]["spec"]
    container = chart.container("Deployment", "celery-worker")

    assert pod["terminationGracePeriodSeconds"] == pre_stop + soft + hard + slack
    assert ("lifecycle" in container) == (pre_stop > 0)
    env = environment(container, SECRETS)
    assert env["MISSING_TABLE_SOFT_TIME_LIMIT_S"] == str(soft)
    assert env["MISSING_TABLE_HARD_TIME_LIMIT_S"] == str(hard)


def test_a_worker_without_a_broker_is_not_ready_and_is_not_restarted() -> None:
    """Ready by the file of consuming; alive by the other one, and dead only after minutes."""
    container = variant("all").container("Deployment", "celery-worker")
    env = environment(container, SECRETS)
    ready = container["readinessProbe"]["exec"]["command"]
    alive = container["livenessProbe"]["exec"]["command"]

    probe = ["python", "-m", "system.worker.health"]
    assert ready == [*probe, env["MISSING_TABLE_READY_FILE"]]
    assert alive == [*probe, env["MISSING_TABLE_ALIVE_FILE"], "--max-age", "300"]
    assert container["startupProbe"]["exec"]["command"] == alive[:4]


def test_what_a_worker_counted_outlives_its_container_and_not_its_pod() -> None:
    chart = variant("all")
    pod = chart.get("Deployment", "celery-worker")["spec"]["template"]["spec"]
    (folder,) = (each for each in pod["volumes"] if each["name"] == "metrics")
    assert "emptyDir" in folder


def test_runs_of_the_scraper_do_not_overlap_and_share_a_claim_with_their_exporter() -> None:
    chart = variant("everything")
    schedule = chart.get("CronJob", "scraper")["spec"]
    job = schedule["jobTemplate"]["spec"]

    assert schedule["concurrencyPolicy"] == "Forbid"
    assert schedule["timeZone"] == "America/New_York"
    assert schedule["startingDeadlineSeconds"] > 100  # below, the controller may miss all of them
    assert schedule["suspend"] is False
    assert 0 < job["activeDeadlineSeconds"] < 3600
    assert job["template"]["spec"]["restartPolicy"] == "Never"
    assert chart.container("CronJob", "scraper")["args"][3:] == [
        "--url=https://league.example/u14",
        "--url=https://league.example/u15",
    ]
    exporter = chart.get("Deployment", "scraper-exporter")["spec"]
    assert exporter["strategy"] == {"type": "Recreate"}
    for pod in (job["template"]["spec"], exporter["template"]["spec"]):
        (data,) = (each for each in pod["volumes"] if each["name"] == "data")
        assert data["persistentVolumeClaim"] == {"claimName": "scraper-data"}
    (term,) = job["template"]["spec"]["affinity"]["podAffinity"][
        "requiredDuringSchedulingIgnoredDuringExecution"
    ]
    wanted = term["labelSelector"]["matchLabels"].items()
    assert wanted <= exporter["template"]["metadata"]["labels"].items()


def test_a_scraper_without_an_address_is_suspended() -> None:
    assert variant("local").get("CronJob", "scraper")["spec"]["suspend"] is True


def test_the_halves_know_each_other_by_address_and_token_only() -> None:
    chart = render(*API_ELSEWHERE)
    for kind, name in (("Deployment", "celery-worker"), ("CronJob", "scraper")):
        env = environment(chart.container(kind, name), SECRETS)
        assert env["MISSING_TABLE_API_URL"] == "https://api.example"
        assert env["MISSING_TABLE_API_TOKEN_FILE"].endswith("/api-token")
        assert not any("DATABASE" in variable for variable in env)
    assert not chart.kinds("Job", "Ingress")
    messaging = {"rabbitmq", "redis", "celery-worker", "scraper"}
    assert not messaging & {each["metadata"]["name"] for each in variant("gke").objects}
