"""Names as people mean them."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.contract.names import clean, key, league, number, team


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
        ("IFA HG", "IFA"),
        ("IFA Academy", "IFA"),
        ("\u200b", "\u200b"),
    ],
)
def test_a_team_gets_its_usual_name(text: str, name: str) -> None:
    assert team(text) == name


def test_two_spellings_of_a_team_have_one_key_and_two_teams_have_two() -> None:
    assert key("FC Dallas") == key("FC DALLAS") != key("FC Austin")


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Homegrown Division", "Homegrown"),
        (" academy\u00a0division ", "Academy"),
        ("ACADEMY", "Academy"),
        ("Division", None),
        ("", None),
    ],
)
def test_a_heading_names_a_league(text: str, name: str | None) -> None:
    assert league(text) == name


@pytest.mark.parametrize(
    ("text", "known"),
    [
        ("99963", "99963"),
        (" 99963\u00a0", "99963"),
        ("mlsnext_12345", "mlsnext_12345"),
        ("U14_Northeast_3_20251018", None),
        ("U14_New England (Pro Player Pathway)_12_20251018", None),
        ("U14_None_0_20251018", None),
        ("U14_Northeast_3", "U14_Northeast_3"),
    ],
)
def test_a_number_that_a_sender_made_up_is_none(text: str, known: str | None) -> None:
    assert number(text) == known


@given(st.text())
def test_clean_text_is_one_normal_line_and_cleaning_it_again_changes_nothing(text: str) -> None:
    line = clean(text)
    assert clean(line) == line
    assert unicodedata.is_normalized("NFC", line)
    assert "  " not in line
    assert line == line.strip()
    assert not any(ord(each) < 32 or each == "\x7f" for each in line)
