"""The list of guards names only what there is, and the page says what the list says."""

from __future__ import annotations

from pathlib import Path

from lab.paths import PROJECT
from lab.sabotage import page


def test_every_place_and_every_test_that_is_named_exists() -> None:
    assert page.missing() == []


def test_a_place_a_setting_or_a_test_that_is_gone_is_named(tmp_path: Path) -> None:
    """In a copy of the worker's configuration without one of its settings, and nothing else."""
    app = tmp_path / "system" / "worker" / "app.py"
    app.parent.mkdir(parents=True)
    source = (PROJECT / "system" / "worker" / "app.py").read_text()
    app.write_text(source.replace("task_acks_late", "task_acks_soon"))
    gone = page.missing(tmp_path)
    assert "system/worker/app.py:configuration[task_acks_late]" in gone
    assert "system/worker/app.py:configuration[task_acks_on_failure]" not in gone
    assert "system/worker/gate.py:admit" in gone
    assert any(each.startswith("scenarios/test_guards.py::") for each in gone)
