"""What is said of a phase follows from its claims, and nothing undecided passes for shown."""

from __future__ import annotations

from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from lab.checker.verdict import Verdict
from lab.phases import render
from lab.phases.result import DID_NOT_RUN, Account, Claim, Seen, split
from lab.report.formatting import format_value

HOLDS = Claim("test_a", "A holds.", verdict=Verdict.VALID, because="")
BROKEN = Claim("test_b", "B holds.", verdict=Verdict.INVALID, because="assert 1 == 2")
OPEN = Claim("test_c", "C holds.")


def account(*claims: Claim, trouble: str = "") -> Account:
    return Account(1, "a phase", "local", datetime(2026, 1, 2, tzinfo=UTC), 3.0, claims, trouble)


@pytest.mark.parametrize(
    ("given", "verdict", "why"),
    [
        (account(HOLDS, HOLDS), Verdict.VALID, "all 2 claims hold"),
        (account(HOLDS, BROKEN, OPEN), Verdict.INVALID, "1 of 3 claims do not hold"),
        (account(HOLDS, OPEN), Verdict.UNKNOWN, DID_NOT_RUN),
        (account(), Verdict.UNKNOWN, "no claims to check"),
        (account(HOLDS, trouble="it was interrupted"), Verdict.UNKNOWN, "it was interrupted"),
        (account(BROKEN, trouble="it was interrupted"), Verdict.INVALID, "do not hold"),
    ],
)
def test_a_phase_is_as_good_as_its_worst_claim(given: Account, verdict: Verdict, why: str) -> None:
    assert given.verdict is verdict
    assert why in given.why


def test_the_first_paragraph_of_a_docstring_is_the_claim_and_the_rest_the_experiment() -> None:
    docstring = """A claim
    of two lines.

    How it is
    shown.

    And more.
    """

    assert split(docstring, "test_x") == ("A claim of two lines.", "How it is shown.\n\nAnd more.")
    assert split(None, "test_it_holds") == ("It holds.", "")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "nothing"),
        (True, "yes"),
        (1040, "1,040"),
        (0.25, "0.25"),
        ([0, 10], "0, 10"),
        ([], "nothing"),
        ({"ready": 0}, "ready: 0"),
        ("", "(empty)"),
        ("a\x1b[31mred\n", "a [31mred"),
    ],
)
def test_evidence_is_shown_as_people_read_it(value: Any, text: str) -> None:
    assert format_value(value) == text


@pytest.mark.parametrize("columns", [40, 100, 200])
def test_the_table_is_whole_and_narrow_also_without_colour(columns: int) -> None:
    seen = (Seen("a long name of what was seen " * 3, "x" * 300),)
    long = Claim("test_d", "D " * 80, verdict=Verdict.INVALID, because="b" * 390, seen=seen)
    out = StringIO()

    render.show(account(HOLDS, long, OPEN), Console(file=out, width=columns))

    text = out.getvalue()
    assert max(map(len, text.splitlines())) <= min(columns, render.COLUMNS_MAX)
    assert (text.count("x"), text.count("b") >= 390) == (300, True)
    assert [sign for sign in "✓✗?" if f"{sign} " not in text] == []
    assert "✗ INVALID" in text


def test_the_page_cannot_be_broken_by_what_was_seen() -> None:
    nasty = Claim("test_e", "E", verdict=Verdict.VALID, because="", seen=(Seen("a|b", "`<c>`"),))

    page = render.markdown(account(nasty))

    assert "| a\\|b | \\`\\<c>\\` |" in page
    assert page.startswith("# Phase 1: a phase")
