"""Services come up side by side, and say what went wrong when they do not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.errors import SubstrateError
from lab.substrates.local.processes import Command, Running, Spawner
from lab.substrates.local.service import Launch, Service, environment
from lab.substrates.local.startup import Rise, bring_up

STAYS = "exec sleep 600"


class Bench:
    """Starts shell scripts as services and remembers what happened."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spawner = Spawner()
        self.running: list[Running] = []
        self.up: list[str] = []

    def script(self, text: str) -> Command:
        """A shell script to run here."""
        return Command(("sh", "-c", text), environment(), cwd=self.folder)

    def service(
        self,
        name: str,
        *scripts: str,
        answers: Callable[[], bool] = lambda: True,
        needs: tuple[str, ...] = (),
        within_s: float = 60,
    ) -> Service:
        """A service that runs shell scripts: preparations first, the last one stays."""
        *prepare, serve = (self.script(text) for text in scripts)
        launch = Launch(serve, prepare=tuple(prepare))
        return Service(name, lambda: launch, answers, needs, within_s)

    def bring_up(self, *services: Service) -> None:
        """Bring them up, and remember what was started and what came up."""

        def started(name: str, process: Running, launch: Launch) -> None:
            self.running.append(process)

        bring_up(
            [Rise(each, self.spawner, self.folder, started) for each in services],
            lambda name, seconds: self.up.append(name),
        )

    def close(self) -> None:
        """End everything that was started."""
        for each in self.running:
            each.kill()
        self.spawner.close()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    made = Bench(tmp_path)
    yield made
    made.close()


def test_a_service_waits_for_what_it_needs(bench: Bench) -> None:
    mark = bench.folder / "mark"
    slow = bench.service("slow", f"sleep 0.2; touch {mark}; {STAYS}", answers=mark.exists)
    quick = bench.service("quick", f"test -e {mark} && {STAYS}", needs=("slow",))

    bench.bring_up(quick, slow)

    assert bench.up == ["slow", "quick"]


def test_preparations_end_before_the_service_starts(bench: Bench) -> None:
    bench.bring_up(
        bench.service("one", "echo first", "sleep 0.1; echo second", f"echo up; {STAYS}")
    )

    # The last word may still be on its way when the service counts as up.
    assert (bench.folder / "one.log").read_text().splitlines()[:2] == ["first", "second"]


def test_a_death_is_noticed_at_once_and_told_with_the_last_words(bench: Bench) -> None:
    dying = bench.service(
        "dying", "seq 100; echo the disk is full; exit 3", answers=lambda: False, within_s=120
    )
    begun = time.monotonic()

    with pytest.raises(SubstrateError) as raised:
        bench.bring_up(dying)

    assert time.monotonic() - begun < 60  # half of what it may take to come up
    told = str(raised.value)
    assert "dying ended with status 3" in told
    assert "the disk is full" in told
    assert "\n  89\n" not in told
    assert str(bench.folder / "dying.log") in told


def test_a_failed_preparation_stops_the_start(bench: Bench) -> None:
    with pytest.raises(SubstrateError, match="ended with status 1"):
        bench.bring_up(bench.service("one", "false", STAYS))


def test_silence_ends_at_the_deadline_and_says_what_was_seen(bench: Bench) -> None:
    def refuse() -> bool:
        raise ConnectionRefusedError("nobody is listening")

    silent = bench.service("silent", STAYS, answers=refuse, within_s=0.3)

    with pytest.raises(SubstrateError, match=r"within 0\.3 s.*nobody is listening"):
        bench.bring_up(silent)


def test_a_port_lost_to_a_stranger_is_replaced_by_another(bench: Bench) -> None:
    scripts = iter(["echo 'bind: Address already in use'; exit 1", STAYS])

    def configure() -> Launch:
        return Launch(bench.script(next(scripts)))

    bench.bring_up(Service("racer", configure, lambda: len(bench.running) == 2))

    assert bench.up == ["racer"]


def test_a_port_is_not_tried_for_ever(bench: Bench) -> None:
    unlucky = bench.service("unlucky", "echo eaddrinuse; exit 1", answers=lambda: False)

    with pytest.raises(SubstrateError, match="eaddrinuse"):
        bench.bring_up(unlucky)

    assert len(bench.running) == 4


def test_an_old_failure_in_the_log_is_no_reason_to_try_again(bench: Bench) -> None:
    (bench.folder / "again.log").write_text("bind: Address already in use\n")

    with pytest.raises(SubstrateError):
        bench.bring_up(bench.service("again", "exit 1", answers=lambda: False))

    assert len(bench.running) == 1
