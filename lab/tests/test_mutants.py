"""What became of a mutant is told rightly: killed, mere words, explained, or one that survived."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from lab.dev import mutants, mutants_page
from lab.dev.mutants import Change, Fate
from lab.paths import PROJECT

MODULE = "lab/checker/laws.py"
DIFF = """\
--- lab/checker/laws.py
+++ lab/checker/laws.py
@@ -1,3 +1,3 @@
 def lost(tally):
-    if tally.count > 1:
+    if tally.count >= 1:
         return True
"""
BOUND = Change(MODULE, "lost", "if tally.count > 1:", "if tally.count >= 1:")


def test_a_mutant_is_known_by_where_it_is_and_what_it_changes() -> None:
    assert mutants.change(MODULE, "lab.checker.laws.x_lost__mutmut_3", DIFF) == BOUND
    method = mutants.change(MODULE, "lab.checker.laws.xǁTallyǁadd__mutmut_12", DIFF)
    assert method.function == "Tally.add"


@pytest.mark.parametrize(
    ("was", "now", "is_it"),
    [
        ('raise ValueError(f"{n} are lost")', 'raise ValueError(f"{n}XX are lostXX")', True),
        ('detail="no answer came"', 'detail="NO ANSWER CAME"', True),
        ('if x: say("two words")', 'if x: say("TWO WORDS")', True),
        ('raise event.wrong("law", "from 1 to 5")', 'raise event.wrong("law", None)', True),
        (
            'raise event.wrong("law", "from 1 to 5")',
            'raise event.wrong(None, "from 1 to 5")',
            False,
        ),
        ('found["key"]', 'found["KEY"]', False),
        ('raise ValueError("it")', "raise ValueError(None)", False),
        ("return None", 'return ""', False),
        ('a > 1 and say("two words")', 'a > 2 and say("TWO WORDS")', False),
        ('a > 1 and say("two words")', 'a > 2 and say("two words")', False),
        ("a", "a", False),
        ("((", "))", False),
    ],
)
def test_words_are_texts_with_a_space_and_nothing_else_may_differ(
    was: str, now: str, is_it: bool
) -> None:
    assert mutants.is_wording(Change(MODULE, "f", was, now)) is is_it


@pytest.mark.parametrize(
    ("code", "known", "came_to"),
    [
        (1, False, Fate.KILLED),
        (24, False, Fate.KILLED),
        (0, False, Fate.SURVIVED),
        (33, False, Fate.SURVIVED),
        (0, True, Fate.EXPLAINED),
        (33, True, Fate.EXPLAINED),
    ],
)
def test_a_mutant_that_no_test_noticed_needs_a_reason(
    code: int, known: bool, came_to: Fate
) -> None:
    assert mutants.fate(code, BOUND, {BOUND: "why"} if known else {}) is came_to


def test_words_that_no_test_reaches_are_no_excuse() -> None:
    wording = Change(MODULE, "f", 'say("two words")', 'say("TWO WORDS")')
    assert mutants.fate(0, wording, {}) is Fate.WORDS
    assert mutants.fate(33, wording, {}) is Fate.SURVIVED


def test_a_mutant_that_was_not_tried_is_none_that_was_killed() -> None:
    assert mutants.fate(mutants.NOT_TRIED, BOUND, {BOUND: "why"}) is Fate.SURVIVED


def test_an_explanation_is_found_however_its_lines_are_broken(tmp_path: Path) -> None:
    (tmp_path / "some.yaml").write_text(
        f"- module: {MODULE}\n  function: lost\n  was: |\n    if tally.count\n        > 1:\n"
        "  is: 'if tally.count >= 1:'\n  why: It is the same.\n",
        "utf-8",
    )
    assert mutants.explained(tmp_path) == {BOUND: "It is the same."}


def test_what_was_tried_and_what_is_explained_is_of_the_modules_that_decide() -> None:
    """When they were tried, and how many of them, the page says: that is a measurement."""
    config = tomllib.loads((PROJECT / "pyproject.toml").read_text("utf-8"))["tool"]["mutmut"]
    modules = {
        str(path.relative_to(PROJECT))
        for pattern in config["only_mutate"]
        for path in PROJECT.glob(pattern)
    }
    measured = mutants_page.measured()["modules"]
    assert set(measured) <= modules
    assert {each.module for each in mutants.explained()} <= modules
    assert all(counted["survived"] == 0 for counted in measured.values())
