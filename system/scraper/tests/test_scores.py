"""What a score cell says."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from system.contract.match import Status
from system.scraper.parsing.scores import Score, score

BLANKS = st.text(alphabet=" \t\n\u00a0", max_size=3)


@pytest.mark.parametrize(
    "cell", ["TBD", "vs", "V", "@", "Not  started", "PENDING", "", " \u00a0\n"]
)
def test_a_match_not_played_has_no_score(cell: str) -> None:
    assert score(cell) == Score()


@pytest.mark.parametrize(
    ("cell", "status"),
    [
        ("POSTPONED", Status.POSTPONED),
        ("ppd", Status.POSTPONED),
        ("Cancelled", Status.CANCELLED),
        ("CANCELED", Status.CANCELLED),
        (" CANC ", Status.CANCELLED),
    ],
)
def test_a_match_called_off_says_so(cell: str, status: Status) -> None:
    assert score(cell) == Score(word=status)


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from("-–—:"), BLANKS, BLANKS, BLANKS)  # noqa: RUF001
def test_numbers_are_read_around_every_separator_and_blank(
    home: int, away: int, dash: str, before: str, between: str, after: str
) -> None:
    cell = f"{before}{home}{between}{dash}{between}{away}{after}"
    assert score(cell) == Score(home, away)


@pytest.mark.parametrize(
    "cell",
    ["3 : 0 FORFEIT", "FORFEIT 3 : 0", "3 : 0 (FF)", "3–0 forfeit", "3 : 0 (FORFEIT)", "FF 3-0"],  # noqa: RUF001
)
def test_a_forfeit_has_its_score(cell: str) -> None:
    assert score(cell) == Score(3, 0, Status.FORFEIT)


@pytest.mark.parametrize(
    "cell",
    [
        "see report",
        "3",
        "3 :",
        ": 1",
        "3 : 1 : 2",
        "-1 : 2",
        "2 : 2 (4 : 3 PEN)",
        "1000 : 0",
        "TBD 2 : 1",
        "٣ : ١",  # noqa: RUF001
        "2 : 1 POSTPONED",
        "3 : 0 FORFEIT FORFEIT",
        "OFF 3 : 0",
    ],
)
def test_anything_else_is_refused_with_what_it_says(cell: str) -> None:
    with pytest.raises(ValueError, match="no known score or word"):
        score(cell)


@pytest.mark.parametrize("cell", ["FORFEIT", "(FF)"])
def test_a_forfeit_without_a_score_is_refused(cell: str) -> None:
    with pytest.raises(ValueError, match="says forfeit but gives no score"):
        score(cell)


@given(st.text(max_size=40))
def test_no_cell_does_more_harm_than_being_refused(cell: str) -> None:
    try:
        seen = score(cell)
    except ValueError:
        return
    assert (seen.home is None) == (seen.away is None)
