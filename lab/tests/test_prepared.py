"""A lab may copy a prepared database; what it gets is as good as one made from nothing."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from lab.substrates.local import database, keeper, prepared, roles
from lab.substrates.local.instance import Instance
from lab.substrates.local.ports import Ports
from lab.substrates.local.processes import Running, Spawner
from lab.substrates.local.service import Ground, Launch
from lab.substrates.local.startup import Rise, bring_up
from lab.substrates.plan import Plan

pytestmark = [
    pytest.mark.laboratory,
    pytest.mark.services,
    pytest.mark.slow,
    pytest.mark.timeout(600),
]

DURABLE = ("fsync", "synchronous_commit", "full_page_writes", "data_checksums", "wal_level")
SHAPE = """
SELECT table_name, column_name, data_type, is_nullable, column_default
FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2
"""
REVISION = "SELECT version_num FROM alembic_version"
ROLES = "SELECT rolname, rolsuper, rolcreatedb, rolcanlogin FROM pg_roles ORDER BY 1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where this module's databases are prepared."""
    return tmp_path_factory.mktemp("prepared")


@pytest.fixture(scope="module")
def urls(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Three databases that are served: two that copied a prepared one, and one that did not."""
    copied = prepared.prepared(folder)
    assert copied is not None
    base = tmp_path_factory.mktemp("labs")
    with ExitStack() as ending:
        sources = {"first": copied, "second": copied, "made": None}
        yield [
            serve(Instance.named(name, base), source, ending) for name, source in sources.items()
        ]


def serve(instance: Instance, source: Path | None, ending: ExitStack) -> str:
    """Start the database of a lab, as the lab does; give its URL."""
    ending.enter_context(keeper.in_process(instance))
    spawner = ending.enter_context(closing(Spawner()))
    ground = Ground(instance, Plan(seed=7, matches=10), Ports(), prepared=source)
    ending.callback(ground.free.release)

    def started(name: str, process: Running, launch: Launch) -> None:
        ending.callback(process.kill)

    services = database.services(ground)
    bring_up(
        [Rise(each, spawner, instance.logs, started) for each in services], lambda name, s: None
    )
    if source is None:
        prepared.run(roles.migration(ground))
    return database.url(ground)


def ask(url: str, *questions: str) -> list[object]:
    """The answers of a database."""
    with psycopg.connect(url) as connection:
        return [connection.execute(each).fetchall() for each in questions]


def test_a_copy_has_the_same_tables_roles_and_durability_as_one_made_from_nothing(
    urls: list[str],
) -> None:
    questions = [SHAPE, REVISION, ROLES, *(f"SHOW {name}" for name in DURABLE)]
    first, second, made = (ask(url, *questions) for url in urls)
    assert first == second == made
    assert ask(urls[0], "SHOW fsync") == [[("on",)]]


def test_each_copy_has_passwords_of_its_own(urls: list[str]) -> None:
    first, second, _ = urls
    passwords = [urlsplit(url).password or "" for url in (first, second)]
    assert passwords[0] != passwords[1]
    for user, password in ("backend", passwords[1]), ("backend", ""), ("postgres", ""):
        tried = first.replace(f"backend:{passwords[0]}@", f"{user}:{password}@")
        assert tried != first
        with pytest.raises(psycopg.OperationalError, match="password"):
            psycopg.connect(tried)


def made(folder: Path) -> Path:
    """The prepared data of a folder, which must be there."""
    found = prepared.prepared(folder)
    assert found is not None
    return found


def test_it_is_made_once_and_again_if_a_byte_is_damaged_or_a_file_is_gone(folder: Path) -> None:
    data = made(folder)
    kept = data.stat().st_ino
    assert made(folder) == data
    assert data.stat().st_ino == kept
    largest = max(data.rglob("[0-9]*"), key=lambda path: path.stat().st_size)
    whole = largest.read_bytes()
    largest.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    assert made(folder).stat().st_ino != kept
    kept = made(folder).stat().st_ino
    (data / "global" / "pg_control").unlink()
    assert made(folder).stat().st_ino != kept
    assert (data / "global" / "pg_control").exists()


def test_a_changed_migration_makes_another_and_removes_the_old(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = made(folder)
    shutil.copytree(prepared.MIGRATIONS, tmp_path / "migrations")
    (tmp_path / "migrations" / "0002_more.py").touch()
    monkeypatch.setattr(prepared, "MIGRATIONS", tmp_path / "migrations")
    assert made(folder) != before
    assert not before.exists()


def test_two_at_once_get_one_whole_database(tmp_path: Path) -> None:
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(made, [tmp_path, tmp_path])
    assert first == second
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == [first.parent.name]
    assert tmp_path.stat().st_mode & 0o077 == 0


def test_where_it_cannot_be_kept_there_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert prepared.prepared(tmp_path / "file" / "below") is None
