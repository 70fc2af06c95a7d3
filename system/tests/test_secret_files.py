"""Secrets from files: read again at each use, and never lost to an operator's slip."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from system.errors import SettingsError
from system.secret_files import BYTES_MAX, SecretFile, lines_of
from system.settings import BackendSettings, WorkerSettings, load

URL = "amqp://worker:hush@127.0.0.1/"
SETTING = "MISSING_TABLE_BROKER_URL_FILE"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "broker-url"
    path.write_text(f"{URL}\n")
    return path


def test_a_secret_is_read_from_the_file_that_its_setting_names(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISSING_TABLE_BROKER_URL", raising=False)
    monkeypatch.setenv(SETTING, str(file))
    settings = load(WorkerSettings)
    assert settings.broker_url.get_secret_value() == URL
    assert "hush" not in f"{settings!r} {settings} {settings.model_dump()}"


def test_a_new_secret_in_the_file_is_the_setting_from_then_on(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("MISSING_TABLE_BROKER_URL", raising=False)
    monkeypatch.setenv(SETTING, str(file))
    settings = load(WorkerSettings)
    for password in ("much longer than before", "abcd", "efgh"):  # and of the same length
        file.write_text(URL.replace("hush", password))
        assert settings.broker_url.get_secret_value() == URL.replace("hush", password)
    _replace_as_kubernetes_does(file, "amqp://x:in-another-folder@h/")
    assert settings.broker_url.get_secret_value() == "amqp://x:in-another-folder@h/"


def _replace_as_kubernetes_does(file: Path, content: str) -> None:
    folder = file.with_name("..data")
    folder.mkdir()
    (folder / file.name).write_text(content)
    link = file.with_name("link")
    link.symlink_to(folder / file.name)
    link.replace(file)


def test_a_secret_that_is_set_and_in_a_file_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSING_TABLE_BROKER_URL", "amqp://x:another@h/")
    monkeypatch.setenv(SETTING, str(file))
    with pytest.raises(SettingsError, match=f"MISSING_TABLE_BROKER_URL and {SETTING}") as refusal:
        load(WorkerSettings)
    assert "another" not in str(refusal.value)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


SLIPS: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (Path.unlink, "No such file"),
    "empty": (lambda path: path.write_text(" \n"), "is empty"),
    "too large": (lambda path: path.write_text("x" * (BYTES_MAX + 1)), f"more than {BYTES_MAX}"),
    "a pipe that nobody writes to": (_pipe, "no regular file"),
    "two lines": (lambda path: path.write_text("hush\nhush"), "more than one line"),
    "no text": (lambda path: path.write_bytes(b"hush\xff"), "no text"),
    "no printable text": (lambda path: path.write_bytes(b"hu\0sh"), "characters"),
}


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.timeout(60)
def test_a_file_without_a_secret_is_named_with_its_setting(slip: str, file: Path) -> None:
    make, words = SLIPS[slip]
    make(file)
    with pytest.raises(SettingsError, match=words) as refusal:
        SecretFile(SETTING, file)
    assert str(refusal.value).startswith(f"{SETTING}, {file}: ")
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("slip", SLIPS)
@pytest.mark.timeout(60)
def test_a_running_process_keeps_the_last_good_secret_and_says_so_once(
    slip: str, file: Path
) -> None:
    secret = SecretFile(SETTING, file)
    make, words = SLIPS[slip]
    make(file)
    with capture_logs() as log:
        assert [secret.get_secret_value() for _ in range(3)] == [URL] * 3
    (line,) = log
    assert words in line["error"]
    assert (SETTING in line["of"], str(file) in line["of"]) == (True, True)
    file.unlink(missing_ok=True)
    file.write_text("good again")
    with capture_logs() as log:
        assert secret.get_secret_value() == "good again"
    assert [line["event"] for line in log] == ["took over a new value"]
    assert "good again" not in str(log)


def test_a_file_of_tokens_may_have_several_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "tokens"
    file.write_text("of today\n\n  of yesterday  \n")
    monkeypatch.setenv("MISSING_TABLE_DATABASE_URL", "postgresql://x")
    monkeypatch.delenv("MISSING_TABLE_API_TOKEN", raising=False)
    monkeypatch.setenv("MISSING_TABLE_API_TOKEN_FILE", str(file))
    assert lines_of(load(BackendSettings).api_token) == ["of today", "of yesterday"]
