"""The container image: small, without root, without tests, and every role runs on a read-only root.

`IMAGE_ARGS` in the environment gives more options of `docker build`, where that needs some.
"""

from __future__ import annotations

import http.client
import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from system.worker.tests.bench import until

PROJECT = Path(__file__).resolve().parents[2]
IMAGE = "messaging-platform:test"
BYTES_MAX = 320 * 1024**2
"""With Python's own slim image of some 140 MB."""
SEALED = ("--read-only", "--tmpfs", "/tmp", "--cap-drop", "ALL")  # noqa: S108 - in the container
ROLES = ("backend", "worker", "scraper", "contract", "worker.dead_letters", "worker.health")

pytestmark = [pytest.mark.docker, pytest.mark.timeout(900)]


def docker(*arguments: str, within_s: float = 60.0) -> str:
    """Run docker, and return what it printed."""
    done = subprocess.run(
        ["docker", *arguments], capture_output=True, text=True, timeout=within_s, check=False
    )
    assert done.returncode == 0, f"docker {arguments}: {done.stdout}{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, built as a user builds it."""
    subprocess.run(["make", "image", f"IMAGE={IMAGE}"], cwd=PROJECT, timeout=800, check=True)
    yield IMAGE
    docker("image", "rm", "--force", IMAGE)


@contextmanager
def running(*arguments: str) -> Iterator[str]:
    """A container that runs for the block."""
    name = docker("run", "--detach", *arguments).strip()
    try:
        yield name
    finally:
        docker("rm", "--force", "--volumes", name)


def test_it_is_small_and_no_root_and_says_what_it_is(image: str) -> None:
    (about,) = json.loads(docker("image", "inspect", image))
    config: dict[str, Any] = about["Config"]

    assert about["Size"] < BYTES_MAX
    assert config["User"] == "10001:10001"
    assert config["Entrypoint"] == ["python", "-m"]
    assert {f"org.opencontainers.image.{name}" for name in ("title", "version", "revision")} <= set(
        config["Labels"]
    )


def test_it_holds_no_test_no_build_tool_and_nothing_of_the_lab(image: str) -> None:
    look = (
        "find /app /venv \\( -name tests -o -name lab -o -name 'test_*.py' \\) -path '*/app/*';"
        "find /venv -type d -name testing; ls /venv/bin | grep pip; command -v gcc cc make; true"
    )
    assert docker("run", "--rm", "--entrypoint", "sh", image, "-c", look) == ""


@pytest.mark.parametrize("role", ROLES)
def test_every_role_answers_on_a_read_only_root(role: str, image: str) -> None:
    assert f"system.{role}" in docker("run", "--rm", *SEALED, image, f"system.{role}", "--help")


def test_the_backend_migrates_and_serves_on_a_read_only_root_and_ends_at_sigterm(
    image: str,
) -> None:
    with running("--env", "POSTGRES_PASSWORD=secret", "postgres:17") as database:
        address = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", database).strip()
        env = (
            "--env", f"MISSING_TABLE_DATABASE_URL=postgresql://postgres:secret@{address}/postgres",
            "--env", "MISSING_TABLE_API_TOKEN=secret",
        )  # fmt: skip

        def migrated() -> bool:
            done = subprocess.run(
                ["docker", "run", "--rm", *SEALED, *env, image, "system.backend", "migrate"],
                capture_output=True,
                timeout=60,
                check=False,
            )
            return done.returncode == 0

        until("the migration", migrated, within_s=90, every_s=1)
        serve = ("system.backend", "serve", "--host", "0.0.0.0")  # noqa: S104 - in the container
        with running(*SEALED, *env, image, *serve) as backend:
            at = docker("inspect", "--format", "{{.NetworkSettings.IPAddress}}", backend).strip()
            until("the backend to be ready", lambda: _is_ok(at, "/readyz"), within_s=60)
            docker("stop", "--time", "15", backend)
            assert docker("inspect", "--format", "{{.State.ExitCode}}", backend).strip() == "0"


def test_a_worker_waits_for_its_broker_and_ends_in_order_as_process_1(image: str) -> None:
    env = (
        "--env", "MISSING_TABLE_BROKER_URL=amqp://worker:secret@127.0.0.1:1/%2F",
        "--env", "MISSING_TABLE_API_URL=http://127.0.0.1:1",
        "--env", "MISSING_TABLE_API_TOKEN=secret",
        "--env", "MISSING_TABLE_ALIVE_FILE=/tmp/alive",
        "--env", "MISSING_TABLE_METRICS_FOLDER=/tmp/metrics",
    )  # fmt: skip
    probe = ("python", "-m", "system.worker.health", "/tmp/alive")  # noqa: S108
    with running(*SEALED, *env, image, "system.worker") as worker:
        until("its sign of life", _succeeds("exec", worker, *probe), within_s=60, every_s=1)
        docker("stop", "--time", "30", worker)
        assert docker("inspect", "--format", "{{.State.ExitCode}}", worker).strip() == "0"


def _succeeds(*arguments: str) -> Callable[[], bool]:
    def look() -> bool:
        done = subprocess.run(["docker", *arguments], capture_output=True, timeout=30, check=False)
        return done.returncode == 0

    return look


def _is_ok(host: str, path: str) -> bool:
    connection = http.client.HTTPConnection(host, 8000, timeout=2)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()
