"""Labs in containers: which images, what is asked of the runner, and that nothing outlives them."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab.errors import CannotRun, SubstrateError
from lab.substrates.containers import images
from lab.substrates.containers.identity import LABEL, identity
from lab.substrates.containers.inside import Programs, Server
from lab.substrates.containers.runner import Client, Running
from lab.substrates.docker import engine, leftovers
from lab.substrates.local.instance import Instance
from lab.substrates.relays import Relays
from lab.tests.outliving import killed_after, sweep_the_dead_alone
from lab.wait import eventually

SWEPT_WITHIN_S = 120.0


def test_the_chart_names_the_images_and_settings_replace_them() -> None:
    usual = images.names({})
    chosen = images.names({"MISSING_TABLE_IMAGE_REDIS": "example.org/redis:1"})

    assert usual["rabbitmq"] == "rabbitmq:4-management"
    assert usual["system"] == "messaging-platform:dev"
    assert all(":" in name for name in usual.values())
    assert chosen == usual | {"redis": "example.org/redis:1"}


def test_without_an_engine_the_lab_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CannotRun, match=r"no Docker engine answers.*--substrate local"):
        engine.need()


def test_a_lab_has_a_name_of_its_own_on_an_engine_that_several_use(tmp_path: Path) -> None:
    one, other = Instance.named("lab", tmp_path / "a"), Instance.named("lab", tmp_path / "b")
    assert identity(one) != identity(other)
    assert identity(one) == identity(Instance.named("lab", tmp_path / "a"))


@contextmanager
def serving(folder: Path) -> Iterator[str]:
    """A runner in this process; gives its address."""
    server = Server(0, Programs(folder / "work", folder / "logs"), Relays(), "right")
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_the_runner_does_nothing_without_its_token(tmp_path: Path) -> None:
    with serving(tmp_path) as at:
        with pytest.raises(SubstrateError, match="Unauthorized"):
            Client(at, "wrong").call("write", file="a", content="")
        Client(at, "right").call("write", file="a", content="YQ==")
        assert Client(at, "right").call("read", file="a", offset=0) == b"a"


@pytest.mark.parametrize("file", ["../secret", "/etc/passwd"])
def test_the_runner_reads_and_writes_its_working_folder_only(file: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("s")
    with serving(tmp_path) as at:
        for verb in ("read", "write"):
            with pytest.raises(SubstrateError, match="not in the working folder"):
                Client(at, "right").call(verb, file=file, offset=0, content="")


def test_a_program_of_the_runner_is_started_asked_to_end_and_its_output_kept(
    tmp_path: Path,
) -> None:
    with serving(tmp_path) as at:
        client = Client(at, "right")
        number = client.ask(
            "start", modules=["http.server", "0"], settings={"PYTHONUNBUFFERED": "1"}, log=None
        )
        running = Running(client, number)
        assert running.ended() is None
        running.kill()
        assert running.ended() == -signal.SIGKILL
        assert set(running.output()) == {"out", "err"}


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_nothing_is_left_of_a_lab_whose_process_was_killed(tmp_path: Path) -> None:
    """A lab that is killed with SIGKILL leaves no container, volume or network."""
    with killed_after("docker", tmp_path) as lab:
        assert len(left_of(lab)) > 5
    eventually("nothing to be left", lambda: not left_of(lab), within_s=SWEPT_WITHIN_S, every_s=0.5)


@pytest.mark.docker
@pytest.mark.timeout(600)
def test_what_even_that_left_is_swept_by_the_next_lab_and_what_lives_is_not(
    tmp_path: Path,
) -> None:
    """A dead lab's leftovers go when another lab starts; those of a living one stay."""

    def make(lab: Instance) -> None:
        engine.docker("volume", "create", *leftovers.labels(lab), identity(lab))

    sweep_the_dead_alone(tmp_path, leftovers, make, left_of)


def left_of(lab: str) -> list[str]:
    """Everything on the engine that belongs to a lab."""
    shown = ("--quiet", "--filter", f"label={LABEL}={lab}")
    kinds = (("ps", "--all"), ("volume", "ls"), ("network", "ls"))
    return [name for kind in kinds for name in engine.docker(*kind, *shown).split()]
