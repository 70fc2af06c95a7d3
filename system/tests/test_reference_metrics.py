"""The reference of the metrics says what the code does."""

from __future__ import annotations

from pathlib import Path

from system.reference import metrics as page

ROOT = Path(page.__file__).parents[2]


def test_the_page_is_as_the_code_has_it() -> None:
    written = (ROOT / page.FILE).read_text()
    assert written == page.render(), "run `python -m system.reference.metrics`"


def test_every_metric_is_described_and_has_a_unit_or_is_a_count() -> None:
    for _, _, metrics in page._roles():
        for made in metrics:
            assert made.name.startswith("missing_table_")
            assert made.meaning
            assert (made.kind == "counter") == made.name.endswith("_total")
            if made.kind == "histogram":
                assert made.name.endswith("_seconds")
