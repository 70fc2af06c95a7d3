"""What a load is told, and what it is for."""

from __future__ import annotations

import subprocess
import sys
from argparse import Namespace
from pathlib import Path

import pytest

from lab.errors import CannotRun
from lab.paths import PROJECT
from load import budgets, options
from load.target import Target

TOLD = {
    "load": "burst",
    "way": "queue",
    "seconds": 0.0,
    "budgets": str(budgets.FILE),
    "lab_name": "default",
    "substrate": "local",
}
LOCUSTFILE = PROJECT / "load" / "locustfile.py"
WITHOUT_LOCUST = (
    "import load.budgets, load.committed, load.measured, load.observer, load.outcome, load.options,"
    " sys; assert not {'gevent', 'locust'} & sys.modules.keys()"
)
ENVIRONMENT = {
    "MISSING_TABLE_API_TOKEN": "token",
    "MISSING_TABLE_BROKER_URL": "amqp://scraper:secret@broker:5672/%2F",
    "MISSING_TABLE_OPERATOR_URL": "amqp://operator:secret@broker:5672/%2F",
    "MISSING_TABLE_MANAGEMENT_URL": "https://operator:secret@broker:15671",
}


def test_a_load_lasts_as_its_profile_says_unless_told_otherwise() -> None:
    def lasts(**given: object) -> float | None:
        return options.read(Namespace(**{**TOLD, **given}), None).profile.lasts_s

    assert (lasts(), lasts(seconds=3.0), lasts(load="steady")) == (15, 3, 60)


@pytest.mark.parametrize("seconds", [-1.0, float("inf"), float("nan")])
def test_a_length_that_makes_no_sense_is_refused(seconds: float) -> None:
    with pytest.raises(CannotRun, match="--seconds"):
        options.read(Namespace(**{**TOLD, "seconds": seconds}), None)


def test_a_system_elsewhere_is_known_by_its_host_and_the_environment() -> None:
    found = Target("https://api.example/").endpoints(ENVIRONMENT)

    assert found.api_url == "https://api.example"
    assert found.broker_urls["scraper"] == ENVIRONMENT["MISSING_TABLE_BROKER_URL"]
    assert found.management_url == "https://broker:15671"
    assert "secret" not in repr(found)


def test_what_the_environment_lacks_is_named_in_one_line() -> None:
    with pytest.raises(CannotRun) as refused:
        Target("https://api.example").endpoints({})

    assert all(name in str(refused.value) for name in ENVIRONMENT)


def test_a_host_that_is_no_address_of_an_api_is_refused() -> None:
    with pytest.raises(CannotRun, match="must be http"):
        Target("amqp://broker").endpoints(ENVIRONMENT)


def test_what_does_not_send_knows_nothing_of_locust() -> None:
    """Importing Locust replaces threads and sockets in the whole process."""
    subprocess.run([sys.executable, "-c", WITHOUT_LOCUST], check=True, timeout=120)


def test_without_a_lab_that_is_up_locust_says_so_and_ends_with_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(LOCUSTFILE), "--headless", "--only-summary"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 2, done.stderr
    assert "no lab named 'default' is up here; start it with `" in done.stderr
    assert "Traceback" not in done.stderr
