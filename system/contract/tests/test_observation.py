"""What is read from a message: its time, its season, its status and what it does not say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from system.contract import match as contract
from system.contract.errors import ContractViolation
from system.contract.match import Status
from system.contract.observation import RESULT, Observation, ObservedFrom, read
from system.contract.tests.samples import OURS, TODAY

PUBLISHED = datetime(2025, 10, 19, 20, 0, tzinfo=UTC)
ARRIVED = datetime(2025, 10, 19, 20, 1, tzinfo=UTC)
KICKOFF = datetime(2025, 10, 18, 14, 0, tzinfo=UTC)  # of OURS, an U14 match


def read_ours(seen_at: datetime | None = None, **changes: Any) -> Observation:
    """OURS with changes, seen at a time of one's choice."""
    at = {"observed_at": seen_at.isoformat()} if seen_at else {}
    return read({**OURS, **changes, **at}, published_at=None, arrived_at=seen_at or ARRIVED)


def refusal(**changes: Any) -> tuple[str, str]:
    """The field and the rule for which OURS with these changes is refused."""
    with pytest.raises(ContractViolation) as refused:
        read({**OURS, **changes}, published_at=PUBLISHED, arrived_at=ARRIVED)
    (violation,) = refused.value.violations
    return violation.field, violation.rule


def test_a_message_that_says_when_it_was_seen_is_believed() -> None:
    seen = read(OURS, published_at=PUBLISHED, arrived_at=ARRIVED)
    assert seen.observed_at == datetime(2025, 10, 19, 18, 0, tzinfo=UTC)
    assert seen.observed_from is ObservedFrom.MESSAGE


def test_for_the_earlier_senders_the_publish_time_stands_in() -> None:
    seen = read(TODAY, published_at=PUBLISHED, arrived_at=ARRIVED)
    assert (seen.observed_at, seen.observed_from) == (PUBLISHED, ObservedFrom.PUBLISHED)


@pytest.mark.parametrize("published_at", [None, ARRIVED + timedelta(days=1)])
def test_and_where_that_is_unknown_or_in_the_future_the_arrival(
    published_at: datetime | None,
) -> None:
    seen = read(TODAY, published_at=published_at, arrived_at=ARRIVED)
    assert (seen.observed_at, seen.observed_from) == (ARRIVED, ObservedFrom.ARRIVAL)


@pytest.mark.parametrize(
    ("observed_at", "span"),
    [
        ("9999-12-31T23:59:59Z", "days"),
        ("2025-10-20T20:01:00Z", "24 hours"),
        ("2025-10-19T16:07:00-04:00", "6 minutes"),
    ],
)
def test_an_observation_from_the_future_is_refused_with_the_reason(
    observed_at: str, span: str
) -> None:
    field, rule = refusal(observed_at=observed_at)
    assert field == "observed_at"
    assert span in rule
    assert "in the future" in rule


def test_a_clock_that_is_a_little_ahead_is_let_in_as_far_as_is_set() -> None:
    early = {**OURS, "observed_at": (ARRIVED + timedelta(minutes=4)).isoformat()}
    assert read(early, published_at=None, arrived_at=ARRIVED)
    with pytest.raises(ContractViolation, match="at most 3 minutes"):
        read(early, published_at=None, arrived_at=ARRIVED, skew=timedelta(minutes=3))


@pytest.mark.parametrize(
    ("name", "usual"),
    [
        ("Intercontinental Football Academy of New England", "IFA"),
        ("IFA HG", "IFA"),
        ("Bayside FC Championship Qualification", "Bayside FC"),
        ("New\u00a0York  City FC", "New York City FC"),
    ],
)
def test_every_sender_s_names_get_their_usual_form_and_what_was_sent_is_kept(
    name: str, usual: str
) -> None:
    seen = read_ours(home_team=name, league="Homegrown Division")
    assert (seen.match.home_team, seen.match.league) == (usual, "Homegrown")
    assert seen.sent == {"home_team": name, "league": "Homegrown Division"}


def test_two_names_of_one_team_do_not_play_each_other() -> None:
    for names in ("IFA HG", "IFA"), ("FC Dallas", "FC DALLAS"):
        assert "two different teams" in refusal(home_team=names[0], away_team=names[1])[1]


@pytest.mark.parametrize(
    ("after_min", "status", "score"),
    [
        (-90, Status.SCHEDULED, None),  # 0 : 0 before it has begun is a placeholder
        (5, Status.LIVE, 0),
        (89, Status.LIVE, 0),  # 70 minutes, half-time and a margin
        (90, Status.COMPLETED, 0),
    ],
)
@pytest.mark.parametrize("said", ["completed", None])
def test_a_score_is_final_only_when_the_match_can_be_over(
    after_min: int, status: Status, score: int | None, said: str | None
) -> None:
    seen = read_ours(
        KICKOFF + timedelta(minutes=after_min), home_score=0, away_score=0, match_status=said
    )
    assert (seen.match.status, seen.match.home_score) == (status, score)


def test_older_age_groups_play_longer() -> None:
    at = KICKOFF + timedelta(minutes=105)
    final = {age: read_ours(at, age_group=age).match.status for age in ("U14", "U16", "U17", "U19")}
    assert final == {"U14": "completed", "U16": "completed", "U17": "live", "U19": "live"}


MIDNIGHT = datetime(2025, 10, 18, 4, 0, tzinfo=UTC)  # in the east


@pytest.mark.parametrize(
    ("after_h", "status"),
    [
        (-1, Status.SCHEDULED),
        (1, Status.SCHEDULED),  # nobody plays at night
        (8, Status.LIVE),
        (9, Status.COMPLETED),  # it may have been the first of its day
    ],
)
def test_without_a_time_of_day_a_result_counts_as_soon_as_the_first_match_of_the_day_can_be_over(
    after_h: int, status: Status
) -> None:
    seen = read_ours(MIDNIGHT + timedelta(hours=after_h), match_time=None)
    assert seen.match.status is status
    assert (seen.match.home_score is None) == (status is Status.SCHEDULED)


def test_without_a_time_of_day_0_0_counts_when_the_day_is_over() -> None:
    nil = {"match_time": None, "home_score": 0, "away_score": 0}
    assert read_ours(MIDNIGHT + timedelta(hours=23), **nil).match.status is Status.LIVE
    assert read_ours(MIDNIGHT + timedelta(hours=24), **nil).match.status is Status.COMPLETED


def test_a_result_long_before_its_match_is_refused() -> None:
    field, rule = refusal(match_date="2026-05-01")
    assert field == "match_status"
    assert "2026-05-01" in rule


def test_a_match_that_was_not_played_has_no_score() -> None:
    for status in "scheduled", "tbd", "postponed", "cancelled":
        seen = read_ours(home_score=0, away_score=0, match_status=status)
        assert (seen.match.status.value, seen.match.home_score) == (status, None)
    assert read_ours(home_score=3, away_score=0, match_status="forfeit").match.home_score == 3


def test_a_season_that_contradicts_the_date_is_refused() -> None:
    assert refusal(season="2024-25") == (
        "season",
        "contradicts the date 2025-10-18, which is in 2025-26",
    )


def test_the_earlier_senders_season_is_taken_from_the_date() -> None:
    seen = read(TODAY, published_at=PUBLISHED, arrived_at=ARRIVED)
    assert seen.match.season_key == "2025-26"
    assert seen.sent == {"home_team": "IFA HG", "season": "2024-25"}


@pytest.mark.parametrize(("day", "season"), [("2025-07-31", "2024-25"), ("2025-08-30", "2025-26")])
def test_also_in_summer_when_both_seasons_would_fit(day: str, season: str) -> None:
    """It says 2024-25 of matches in August too, and the scraper says 2025-26 of the same ones."""
    seen = read({**TODAY, "match_date": day}, published_at=None, arrived_at=ARRIVED)
    assert seen.match.season_key == season


def test_a_number_that_the_earlier_senders_made_up_is_not_said() -> None:
    made_up = "U13_Northeast_3_20251101"
    seen = read({**TODAY, "external_match_id": made_up}, published_at=None, arrived_at=ARRIVED)
    assert seen.match.external_match_id is None
    assert seen.sent["external_match_id"] == made_up
    assert "external_match_id" not in seen.stated


@pytest.mark.parametrize(
    ("day", "seasons"),
    [
        ("2026-06-30", {"2025-26"}),
        ("2026-07-01", {"2025-26", "2026-27"}),
        ("2026-08-31", {"2025-26", "2026-27"}),
        ("2026-09-01", {"2026-27"}),
    ],
)
def test_in_summer_a_match_may_belong_to_either_season(day: str, seasons: set[str]) -> None:
    fits = set()
    for season in "2024-25", "2025-26", "2026-27", "2027-28", "2026-29":
        payload = {**OURS, "match_date": day, "season": season, "observed_at": f"{day}T23:00:00Z"}
        try:
            read(payload, published_at=None, arrived_at=ARRIVED + timedelta(days=400))
        except ContractViolation:
            continue
        fits.add(season)
    assert fits == seasons


def test_what_is_left_out_is_not_said_and_null_says_so_only_with_a_time() -> None:
    required = {"home_team", "away_team", "match_date", "season", "age_group", "match_type"}
    short = {name: OURS[name] for name in required}
    own_time = {"observed_at": OURS["observed_at"]}
    nulls = {"match_time": None, "location": None, "league": None, "home_score": None}
    nulls |= {"away_score": None, "division": None}

    def stated(payload: dict[str, Any]) -> set[str]:
        seen = read(payload, published_at=PUBLISHED, arrived_at=ARRIVED)
        return set(seen.stated) - required

    assert stated(short) == stated(short | nulls) == stated(short | own_time) == set()
    assert stated(short | nulls | own_time) == {"match_time", "location", RESULT}
    assert stated(OURS) == set(OURS) - required - {
        "home_score",
        "away_score",
        "match_status",
        "observed_at",
    } | {RESULT}


def test_what_is_written_says_as_much_as_what_was_read() -> None:
    for payload in OURS, {**OURS, "match_time": None, "location": None}:
        again = contract.dump(contract.parse(payload))
        assert read(again, published_at=None, arrived_at=ARRIVED) == read(
            payload, published_at=None, arrived_at=ARRIVED
        )
