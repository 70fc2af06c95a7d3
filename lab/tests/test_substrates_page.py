"""The page of substrates tells what a run does: the same marks, and at most a fifth left out."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.dev import substrates_page
from lab.substrates import registry

SCENARIO = '''"""Phase 1: flying."""
@needs(SharesFiles)
def test_that_needs_much():
    """A claim.

    How it is shown."""

def test_that_needs_nothing(): ...
'''


def test_a_mark_is_read_with_the_claim(tmp_path: Path) -> None:
    (tmp_path / "test_phase1_flying.py").write_text(SCENARIO)
    first, second = substrates_page.marked(1, tmp_path)
    assert (first.text, first.needs) == ("A claim.", ("SharesFiles",))
    assert second.needs == ()
    assert substrates_page.left_out("docker", [first, second]) == [(first, ["SharesFiles"])]
    assert substrates_page.left_out("local", [first, second]) == []


@pytest.mark.parametrize("name", registry.names())
def test_at_most_a_fifth_of_the_claims_is_left_out(name: str) -> None:
    claims = [claim for phase in substrates_page.PHASES for claim in substrates_page.marked(phase)]
    assert len(claims) > 40
    assert 5 * len(substrates_page.left_out(name, claims)) <= len(claims)
