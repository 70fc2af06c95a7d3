"""What a run sends: each observation once, under a repeatable id, the later one newer."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from system.contract import match as contract
from system.contract.match import Match
from system.scraper.messages import Messages
from system.scraper.parsing.schedule import parse
from system.scraper.tests.site import page, row

NOW = datetime(2025, 11, 3, 17, tzinfo=UTC)


def seen(*rows: str, after_s: float = 0) -> tuple[Match, ...]:
    return parse(page(*rows), page="p", now=NOW + timedelta(seconds=after_s)).matches


def test_the_same_observation_is_sent_once_in_a_run_whenever_it_is_read() -> None:
    messages = Messages(NOW)
    assert len(messages.fresh(seen(row(), row()), published_at=NOW)) == 1
    assert messages.fresh(seen(row(), after_s=5), published_at=NOW) == []


def test_different_observations_of_a_match_are_both_sent_and_the_later_wins() -> None:
    sent = Messages(NOW).fresh(
        seen(row(score="TBD"), row(score="2 : 1"), row(score="TBD")), published_at=NOW
    )
    assert [match.home_score for _, match in sent] == [None, 2, None]
    times = [match.observed_at for _, match in sent if match.observed_at is not None]
    assert times == sorted(set(times))
    assert times[-1] == NOW + timedelta(microseconds=2)
    assert len({envelope.message_id for envelope, _ in sent}) == 3


def test_the_envelope_carries_the_match_as_observed() -> None:
    published = NOW + timedelta(days=1)
    ((envelope, match),) = Messages(NOW).fresh(seen(row()), published_at=published)
    assert envelope.published_at == published
    assert contract.parse(envelope.arguments[0]) == match


@given(st.integers())
def test_a_seed_makes_ids_that_repeat(seed: int) -> None:
    def run(seed: int | None, start: datetime, score: str, after_s: float) -> list[str]:
        rows = seen(row(number="7"), row(score=score), after_s=after_s)
        return [e.message_id for e, _ in Messages(start, seed).fresh(rows, published_at=NOW)]

    once = run(seed, NOW, "2 : 1", 0)
    assert run(seed, NOW, "2 : 1", 0.25) == once
    other_seed = run(seed + 1, NOW, "2 : 1", 0)
    later_run = run(seed, NOW + timedelta(days=1), "2 : 1", 0)
    unseeded = run(None, NOW, "2 : 1", 0)
    for other in (other_seed, later_run, unseeded):
        assert not set(other) & set(once)
    # The same id never stands for another content: the store would take it for a duplicate.
    assert run(seed, NOW, "2 : 2", 0)[0] == once[0]
    assert run(seed, NOW, "2 : 2", 0)[1] != once[1]
