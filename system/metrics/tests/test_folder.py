"""What was counted stays counted, once: through kills, restarts, folds and the death of a fold."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from system.errors import SettingsError
from system.metrics import folder as folders
from system.metrics.definitions import MetricFactory
from system.metrics.files import persist_in
from system.metrics.folder import MetricsFolder, open_folder, tidy_folder
from system.metrics.tests.looking import series


@contextmanager
def writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that counts, killed at the end of the block."""
    with subprocess.Popen(
        [sys.executable, "-m", "system.metrics.tests.writer", str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def count(process: subprocess.Popen[str], times: int) -> None:
    """Let it count so often; it has when this returns."""
    assert process.stdin is not None
    assert process.stdout is not None
    for _ in range(times):
        process.stdin.write("\n")
        process.stdin.flush()
        assert process.stdout.readline()


def test_what_killed_processes_have_counted_is_summed_with_what_the_living_count(
    tmp_path: Path,
) -> None:
    with open_folder(tmp_path / "kept") as folder:
        for times in (3, 4):
            with writer(tmp_path / "kept") as process:
                count(process, times)
        with writer(tmp_path / "kept") as living:
            count(living, 5)
            found = series(folder.collect())
            count(living, 1)
            assert series(folder.collect())["things_total good"] == 13
    assert found["things_total good"] == 12
    assert found["things_total bad"] == 0
    assert found["thing_seconds_bucket 0.25"] == 0
    assert found["thing_seconds_bucket 0.5"] == 12
    assert found["thing_seconds_count"] == 12
    assert found["thing_seconds_sum"] == pytest.approx(12 * 0.3)


def test_a_live_gauge_goes_with_its_process_and_the_others_stay(tmp_path: Path) -> None:
    with open_folder(tmp_path) as folder:
        with writer(tmp_path) as process:
            count(process, 3)
            assert series(folder.collect())["busy"] == 1
        with writer(tmp_path) as process:
            count(process, 2)
        found = series(folder.collect())
    assert "busy" not in found
    assert found["latest"] == 2
    assert found["greatest"] == 3


def test_the_number_of_files_does_not_grow_with_the_number_of_dead(tmp_path: Path) -> None:
    sizes = []
    for _ in range(3):
        with writer(tmp_path) as process:
            count(process, 1)
        with open_folder(tmp_path):
            pass
        sizes.append(sorted(path.name.rstrip("0123456789") for path in tmp_path.rglob("*")))
    assert sizes[0] == sizes[1] == sizes[2]
    with open_folder(tmp_path) as folder:
        assert series(folder.collect())["things_total good"] == 3


def test_without_an_owner_whoever_comes_may_tidy_up(tmp_path: Path) -> None:
    with writer(tmp_path) as process:
        count(process, 1)
    tidy_folder(tmp_path)
    assert list(tmp_path.glob("*.db")) == []
    with open_folder(tmp_path) as folder:
        assert series(folder.collect())["things_total good"] == 1


class _Killed(BaseException):
    """What stops a fold at one of its steps."""


def _dying_at(step: int) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Wrap functions so that the call number `step` of all of them never happens."""
    calls = 0

    def wrap(function: Callable[..., Any]) -> Callable[..., Any]:
        def mortal(*args: Any, **kwargs: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == step:
                raise _Killed
            return function(*args, **kwargs)

        return mortal

    return wrap


def test_a_fold_that_dies_at_any_step_counts_everything_once(tmp_path: Path) -> None:
    before = tmp_path / "before"
    for times in (2, 3):  # an earlier fold is there, and two processes have died since
        for _ in range(times - 1):
            with writer(before) as process:
                count(process, times)
        if times == 2:
            tidy_folder(before)
    died = 0
    for step in range(1, 60):
        kept = tmp_path / f"step-{step}"
        shutil.copytree(before, kept)
        with pytest.MonkeyPatch.context() as patch:
            dying = _dying_at(step)
            for owner, name in (
                (Path, "unlink"),
                (Path, "rename"),
                (Path, "mkdir"),
                (Path, "write_text"),
                (shutil, "rmtree"),
            ):
                patch.setattr(owner, name, dying(getattr(owner, name)))
            try:
                MetricsFolder(kept).fold()
            except _Killed:
                died += 1
        with open_folder(kept) as folder:
            assert series(folder.collect())["things_total good"] == 8, step
        if died < step:
            break
    assert 5 < died < 59


def test_a_folder_belongs_to_one_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folders, "OWNED_WITHIN_S", 0.1)
    holder = (
        "import sys, pathlib; from system.metrics.folder import open_folder\n"
        "with open_folder(pathlib.Path(sys.argv[1])): print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", holder, str(tmp_path)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with pytest.raises(SettingsError, match="another process uses it"), open_folder(tmp_path):
            pass
        tidy_folder(tmp_path)  # leaves it to the owner
        process.kill()
    with open_folder(tmp_path):
        pass


def test_the_folder_is_for_its_owner_only_and_the_environment_stays_as_it_was(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "a" / "b"
    before = dict(os.environ)
    with persist_in(folder):
        MetricFactory().counter("inside", "In files").inc()
    assert dict(os.environ) == before
    assert folder.stat().st_mode & 0o777 == 0o700
    assert len(list(folder.glob("counter_*.db"))) == 1
    MetricFactory().counter("outside", "In memory").inc()
    with open_folder(folder) as kept:
        assert series(kept.collect()) == {"inside_total": 1}


def test_what_cannot_be_a_folder_or_be_read_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "counter_1-a.db").write_bytes(b"\xff\xff\x00\x00" + b"\xff" * 100)
    for name in ("file", "broken"):
        for use in (open_folder, persist_in):
            if (name, use) == ("broken", persist_in):
                continue  # others' files are none of its business
            with (
                pytest.raises(SettingsError, match="MISSING_TABLE_METRICS_FOLDER"),
                use(tmp_path / name),
            ):
                pass


def test_a_file_that_was_only_just_made_counts_nothing_yet(tmp_path: Path) -> None:
    (tmp_path / "counter_1-a.db").touch()
    with open_folder(tmp_path) as folder:
        (tmp_path / "histogram_2-b.db").touch()
        assert series(folder.collect()) == {}
