"""The folder, the lock and the record of one lab."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from lab.errors import CannotRun
from lab.substrates.local import cleaning
from lab.substrates.local.instance import FAILED, UP, Instance, Process, instances


@pytest.mark.parametrize("name", ["", "Upper", "a/b", "..", "-x", "x" * 41, "two words"])
def test_names_that_could_leave_the_folder_are_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(CannotRun, match="cannot name a lab"):
        Instance.named(name, tmp_path)


def test_two_living_labs_cannot_have_one_name(tmp_path: Path) -> None:
    first, second = Instance.named("one", tmp_path), Instance.named("one", tmp_path)

    with first.claimed():
        assert second.is_alive()
        with pytest.raises(CannotRun, match="--name"), second.claimed():
            pass
    assert not second.is_alive()
    with second.claimed():
        pass


def test_secrets_can_be_read_by_their_owner_only(tmp_path: Path) -> None:
    instance = Instance.named("one", tmp_path / ".lab")
    before = os.umask(0)
    try:
        with instance.claimed():
            instance.begin()
            modes = {
                each.name: stat.S_IMODE(each.stat().st_mode)
                for each in (instance.folder, *instance.folder.rglob("*"))
            }
    finally:
        os.umask(before)

    assert modes == {"one": 0o700, "lock": 0o600, "state.json": 0o600, "logs": 0o700}


def test_the_state_comes_back_as_it_was_written(tmp_path: Path) -> None:
    instance = Instance.named("one", tmp_path)
    process = Process("broker-0", pid=1, started=2.5, end=9, ports=[20001])
    with instance.claimed():
        instance.begin()
        instance.change(phase=UP, processes=[process])

        state = instance.read()

    assert state is not None
    assert (state.phase, state.processes, state.keeper) == (UP, [process], os.getpid())
    assert state.addresses() is None


def test_a_new_lab_begins_with_an_empty_folder(tmp_path: Path) -> None:
    instance = Instance.named("one", tmp_path)
    (instance.folder / "broker").mkdir(parents=True)
    (instance.folder / "broker" / "data").write_text("old")
    with instance.claimed():
        instance.begin()

        left = {each.name for each in instance.folder.iterdir()}

    assert left == {"lock", "state.json", "logs"}


def test_nothing_is_left_of_an_ended_lab(tmp_path: Path) -> None:
    base = tmp_path / ".lab"
    instance = Instance.named("one", base)
    with instance.claimed():
        instance.begin()
        cleaning.close(instance)

    assert not base.exists()


def test_of_a_failed_start_the_logs_stay(tmp_path: Path) -> None:
    instance = Instance.named("one", tmp_path)
    with instance.claimed():
        instance.begin()
        (instance.logs / "broker-0.log").write_text("why")
        instance.change(phase=FAILED)
        cleaning.close(instance)

    assert {each.name for each in instance.folder.iterdir()} == {"logs"}
    assert instances(tmp_path) == []


def test_a_dead_lab_is_swept_and_a_living_one_is_not(tmp_path: Path) -> None:
    dead, living = Instance.named("dead", tmp_path), Instance.named("living", tmp_path)
    with dead.claimed():
        dead.begin()
    with living.claimed():
        living.begin()

        assert cleaning.sweep_dead(tmp_path) == ["dead"]

        assert not dead.folder.exists()
        assert living.read() is not None


def test_the_logs_of_old_failures_are_forgotten(tmp_path: Path) -> None:
    count = cleaning.FAILED_STARTS_KEPT + 2
    for number in range(count):
        folder = tmp_path / f"run-{number}"
        (folder / "logs").mkdir(parents=True)
        os.utime(folder, (number, number))

    cleaning.sweep_dead(tmp_path)

    assert {each.name for each in tmp_path.iterdir()} == {
        f"run-{number}" for number in range(2, count)
    }
