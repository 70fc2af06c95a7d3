"""How Locust is called for a lab of its own, and what a Job beside a lab is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.errors import CannotRun
from lab.substrates import registry
from lab.substrates.protocol import Endpoints
from load import __main__ as command
from load import inside

ENDS = Endpoints(
    api_url="http://api-0:8000",
    api_token="token",
    broker_urls={"scraper": "amqp://scraper:a@b:5672/%2F", "operator": "amqp://operator:o@b:5672/"},
    management_url="http://b:15672",
    metrics_url="",
    results_url="",
    database_url="",
    site_url="",
)


def test_a_job_is_told_what_a_system_elsewhere_needs_and_no_more() -> None:
    told = inside.settings(ENDS)
    assert told["MISSING_TABLE_MANAGEMENT_URL"] == "http://operator:o@b:15672"
    found = registry.endpoints_elsewhere(ENDS.api_url, told)
    assert (found.api_token, found.management_url) == ("token", ENDS.management_url)
    assert found.broker_urls["scraper"] == ENDS.broker_urls["scraper"]


def test_every_profile_is_a_file_that_locust_is_given() -> None:
    words = command.locust(Path(command.__file__).parent, "baseline", "--processes", "2")
    assert [Path(each).exists() for each in words if each.startswith("/")] == [True, True]
    assert words[-2:] == ["--processes", "2"]


def test_a_lab_that_runs_no_jobs_is_refused() -> None:
    place = registry.elsewhere(ENDS)
    with pytest.raises(CannotRun, match="'elsewhere': leave --inside out"):
        inside.run(place, "image:1", ["python"], [], print)


def test_another_image_can_be_named() -> None:
    assert inside.image({}) == inside.IMAGE
    assert inside.image({inside.VARIABLE: "registry.example/load:1"}) == "registry.example/load:1"
