"""Settings say which variable is wrong, and keep their secrets."""

from __future__ import annotations

from pathlib import Path

import pytest

from system.errors import SettingsError
from system.reference import settings as settings_page
from system.settings import BackendSettings, WorkerSettings, load

URL = "amqp://worker:hush@127.0.0.1/"


def test_a_missing_variable_is_named_with_its_meaning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MISSING_TABLE_DATABASE_URL", raising=False)
    monkeypatch.setenv("MISSING_TABLE_API_TOKEN", "hush")
    with pytest.raises(SettingsError) as refusal:
        load(BackendSettings)
    assert "MISSING_TABLE_DATABASE_URL is not set (postgresql://" in str(refusal.value)
    assert "hush" not in str(refusal.value)


@pytest.mark.parametrize("hard", ["10", "5"])
def test_a_hard_limit_that_would_never_be_met_is_refused(
    hard: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MISSING_TABLE_BROKER_URL", URL)
    monkeypatch.setenv("MISSING_TABLE_SOFT_TIME_LIMIT_S", "10")
    monkeypatch.setenv("MISSING_TABLE_HARD_TIME_LIMIT_S", hard)
    with pytest.raises(SettingsError, match=r"HARD_TIME_LIMIT_S .* must be more than .*SOFT_TIME"):
        load(WorkerSettings)


def test_settings_never_show_their_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MISSING_TABLE_BROKER_URL", URL)
    settings = load(WorkerSettings)
    assert "hush" not in f"{settings!r} {settings}"
    assert settings.broker_url.get_secret_value() == URL


def test_the_page_of_settings_is_as_the_code_has_it() -> None:
    written = Path(settings_page.__file__).parents[2] / settings_page.FILE
    assert written.read_text("utf-8") == settings_page.render(), "run `make docs`"
