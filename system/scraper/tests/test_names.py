"""Names as people mean them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.scraper.parsing.names import clean, team


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NEFC", "NEFC"),
        ("  New\u00a0York\t\nCity  FC ", "New York City FC"),
        ("IDEA Toros Fu\u0301tbol Academy", "IDEA Toros Fútbol Academy"),
        ("IM\u200bG\ufeff", "IMG"),
        ("Intercontinental Football Academy of New England", "IFA"),
        ("INTERCONTINENTAL  Football Academy of\u00a0New England", "IFA"),
        ("Los Angeles Soccer Club", "Los Angeles SC"),
        ("NEFCChampionship Qualification", "NEFC"),
        ("Los Angeles Soccer Club Championship Qualification", "Los Angeles SC"),
        ("Championship FC", "Championship FC"),
    ],
)
def test_a_team_gets_its_usual_name(text: str, name: str) -> None:
    assert team(text) == name


@given(st.text())
def test_clean_text_is_one_normal_line_and_cleaning_it_again_changes_nothing(text: str) -> None:
    line = clean(text)
    assert clean(line) == line
    assert unicodedata.is_normalized("NFC", line)
    assert "  " not in line
    assert line == line.strip()
    assert not any(ord(each) < 32 or each == "\x7f" for each in line)
