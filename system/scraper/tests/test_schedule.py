"""Whole pages: saved ones with every quirk, and hostile ones."""

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from system.contract.match import Match, Status
from system.errors import ScheduleError
from system.scraper.fetch import decode
from system.scraper.parsing.schedule import Schedule, parse
from system.scraper.tests.site import PAGES, page, row

NOW = datetime(2025, 11, 3, 17, tzinfo=UTC)


def saved(name: str) -> Schedule:
    return parse(decode((PAGES / name).read_bytes()), page=name, now=NOW)


def only(**changes: str) -> Match:
    schedule = parse(page(row(**changes)), page="test", now=NOW)
    assert not schedule.refused
    (match,) = schedule.matches
    return match


def test_every_row_of_a_page_is_read_once_though_each_has_a_hidden_twin() -> None:
    october = saved("october.html")
    assert [each.external_match_id for each in october.matches] == [
        *("101201", "101202", "101203", "101203", "101204", "101204", "101205", "101206"),
        None,
        "101208",
    ]
    assert october.refused == ()
    assert october.pagination.next_link == "?page=2"


def test_a_row_is_read_into_every_field_of_the_contract() -> None:
    assert saved("october.html").matches[0] == Match.model_validate(
        {
            "home_team": "NEFC",
            "away_team": "Seacoast United",
            "match_date": "2025-10-18",
            "season": "2025-26",
            "age_group": "U14",
            "match_type": "League",
            "division": "Northeast",
            "league": "Homegrown",
            "home_score": 2,
            "away_score": 1,
            "match_status": "completed",
            "external_match_id": "101201",
            "match_time": "10:00",
            "location": "Progin Park - Field 10",
            "source": "match-scraper",
            "observed_at": NOW.isoformat(),
        }
    )


def test_the_sample_rows_show_what_they_are_known_for() -> None:
    rows = saved("october.html").matches
    assert (rows[1].home_score, rows[1].away_score) == (0, 0)
    assert rows[2].status is Status.TBD
    assert (rows[3].home_team, rows[3].home_score) == ("Oakwood Soccer Club", 1)
    assert rows[4].home_team == "IFA"
    assert (rows[6].match_time, rows[6].location) == (None, None)
    assert rows[7].home_score == 10
    assert rows[8].division == "Northeast (Pro Player Pathway)"
    assert rows[8].identity.startswith("~")
    assert rows[9].home_team == "IDEA Toros Fútbol Academy"


def test_quirks_are_read_or_refused_and_never_dropped() -> None:
    quirks = saved("quirks.html")
    by_id = {each.external_match_id: each for each in quirks.matches}
    spaced = by_id["101301"]
    assert (spaced.home_team, spaced.away_team) == ("Weston FC", "IMG")
    assert spaced.location == "Progin Park - Field 10"
    assert (spaced.home_score, spaced.away_score) == (2, 1)
    assert (by_id["101302"].home_team, by_id["101302"].away_team) == ("NEFC", "Seacoast United")
    assert by_id["101303"].home_team == "Los Angeles SC"
    assert by_id["101303"].away_team == "IDEA Toros Fútbol Academy"
    assert [by_id[f"10130{n}"].status for n in (3, 4, 5, 6)] == [
        Status.POSTPONED,
        Status.CANCELLED,
        Status.FORFEIT,
        Status.FORFEIT,
    ]
    assert (by_id["101306"].home_score, by_id["101306"].away_score) == (0, 3)
    assert by_id["101311"].home_team == "A & B <United>"
    assert {each.league for each in quirks.matches} == {"Academy"}
    reasons = {each.row: each.reason for each in quirks.refused}
    assert sorted(reasons) == [7, 8, 9, 10, 11]
    assert "without a time of day" in reasons[7]
    assert "two different teams" in reasons[8]
    assert "SEE REPORT" in reasons[9]
    assert "clocks go forward" in reasons[10]
    assert "1 columns" in reasons[11]
    assert "Rained off & gone" in quirks.refused[-1].excerpt


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"number": "n/a MALE"}, "not the number of a match"),
        ({"number": "12 34"}, "not the number of a match"),
        ({"age": "Seniors"}, "age_group"),
        ({"competition": "", "division": ""}, "match_type"),
        ({"first": ""}, "home_team"),
        ({"second": "x" * 201}, "away_team"),
        ({"score": "100 : 0"}, "home_score"),
        ({"venue": "x" * 501}, "location"),
    ],
)
def test_a_broken_row_is_refused_alone(changes: dict[str, str], reason: str) -> None:
    schedule = parse(page(row(), row(**changes), row()), page="p", now=NOW)
    assert len(schedule.matches) == 2
    (refused,) = schedule.refused
    assert (refused.page, refused.row) == ("p", 2)
    assert reason in refused.reason
    assert len(refused.excerpt) <= 200


def test_a_fifth_column_without_its_three_parts_is_refused() -> None:
    html = page(row()).replace('<div class="col-sm-2 container-score">', "<p>", 1)
    (refused,) = parse(html, page="p", now=NOW).refused
    assert "fifth column has" in refused.reason


def test_columns_count_by_position_not_by_class() -> None:
    html = page(row())
    for name in ("col-sm-1", "col-sm-2", "col-sm-5", "container-first-team", "container-score"):
        html = html.replace(name, "x")
    assert parse(html, page="p", now=NOW).matches == parse(page(row()), page="p", now=NOW).matches


def test_a_column_with_its_lines_in_one_text_reads_the_same() -> None:
    html = page(row()).replace("League<br><p>Northeast</p>", "League\n  Northeast")
    (match,) = parse(html, page="p", now=NOW).matches
    assert (match.match_type, match.division) == ("League", "Northeast")


def test_a_row_without_division_or_venue_has_none() -> None:
    match = only(division="", venue=" \u00a0 ")
    assert (match.division, match.location) == (None, None)


def test_a_page_without_matches_is_a_schedule_too() -> None:
    empty = saved("empty.html")
    assert (empty.matches, empty.refused, empty.doubts) == ((), (), ())


@pytest.mark.parametrize("html", ["", "<table><tr><td>1", "\x00", "plain text"])
def test_a_page_without_a_schedule_is_named_in_the_error(html: str) -> None:
    with pytest.raises(ScheduleError, match=r"somewhere\.html: there is no schedule"):
        parse(html, page="somewhere.html", now=NOW)
    with pytest.raises(ScheduleError, match=r"cookies\.html"):
        saved("cookies.html")


def test_rows_for_small_screens_alone_are_no_schedule() -> None:
    html = page(row()).replace("hidden-xs", "visible-xs")
    with pytest.raises(ScheduleError, match="there is no schedule"):
        parse(html, page="p", now=NOW)


def test_a_disabled_next_leads_nowhere_though_it_has_an_address() -> None:
    html = page(row(), following="?page=2").replace('<li class="">', '<li class="page disabled">')
    assert parse(html, page="p", now=NOW).pagination.next_link is None


def test_pages_with_the_same_rows_have_one_fingerprint_whatever_their_pagination_says() -> None:
    one, same = (parse(page(row(), following=f"?{n}"), page="p", now=NOW) for n in (2, 3))
    other = parse(page(row(score="2 : 2"), following="?2"), page="p", now=NOW)
    assert one.fingerprint == same.fingerprint != other.fingerprint


FRAGMENTS = st.sampled_from(
    [
        *(
            '<div class="row table-content-row hidden-xs">',
            "<div>",
            "</div>",
            "<p>",
            "<br>",
            "</p>",
        ),
        *('<ul class="pagination">', "<li>", '<a rel="next" href="', "</a>", "<!--", "-->", "&#0;"),
        *(
            "<script>",
            "</script>",
            "&#xD800;",
            "<template>",
            "<svg>",
            "<select>",
            '<h1 data-league="',
        ),
        *("99963\t\nMALE", "09/20/25 03:45pm", "U14", "League", "NEFC", "2 : 1", "\x00", "\x1f"),
    ]
)


# The first text of a process takes a second or two to draw, which a busy machine makes too slow.
@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(FRAGMENTS | st.text(max_size=10), max_size=60))
def test_hostile_html_is_a_schedule_or_a_schedule_error(pieces: list[str]) -> None:
    try:
        parse("".join(pieces), page="hostile", now=NOW)
    except ScheduleError:
        return


@given(st.dictionaries(st.sampled_from(["number", "when", "age", "first", "score"]), st.text()))
def test_any_text_in_a_cell_leaves_one_match_or_one_refused_row(changes: dict[str, str]) -> None:
    schedule = parse(page(row(**changes)), page="p", now=NOW)
    assert len(schedule.matches) + len(schedule.refused) >= 1


def test_boxes_in_boxes_are_read_but_not_without_end() -> None:
    html = page(row(), f'<div class="table-content-row hidden-xs">{"<div>" * 5_000}x')
    schedule = parse(html, page="deep", now=NOW)
    assert (len(schedule.matches), len(schedule.refused)) == (1, 1)
    with pytest.raises(ScheduleError, match="endless: its elements are nested too deep"):
        parse(page(row(), "<div>" * 1_000_000), page="endless", now=NOW)


def test_a_long_page_of_many_rows_is_not_taken_for_a_deep_one() -> None:
    schedule = parse(page(row() * 1_000), page="long", now=NOW)
    assert len(schedule.matches) == 1_000
