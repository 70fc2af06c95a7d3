"""Files that are made from code hold what the code makes."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.dev import docs


def test_every_generated_file_is_what_the_code_makes_also_the_systems_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Edit the code, not the file; `make docs` writes it anew."""
    assert docs.main(["--check"]) == 0, capsys.readouterr()


def test_a_file_that_differs_or_that_nothing_makes_is_named_and_mended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(docs, "ONLY_GENERATED", {tmp_path: "*.json"})
    pages = {tmp_path / "slo.json": "{}\n", tmp_path / "deep" / "guards.md": "# Guards\n"}
    docs.write(pages)
    assert docs.stale(pages) == []
    (tmp_path / "slo.json").write_text("changed")
    (tmp_path / "of-yesterday.json").write_text("{}")
    assert [path.name for path in docs.stale(pages)] == ["of-yesterday.json", "slo.json"]
    docs.write(pages)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "slo.json"]
    assert docs.stale(pages) == []
