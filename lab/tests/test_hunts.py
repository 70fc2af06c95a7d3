"""A hunt: how it ends, what it prints, and what it makes of a schedule that failed."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lab.checker.verdict import Verdict
from lab.cli.app import app
from lab.errors import CannotRun
from lab.faults import schedule
from lab.faults.schedule import write
from lab.hunts import hunt as hunting
from lab.hunts import show
from lab.hunts.hunt import ROUNDS_MAX, Hunt
from lab.hunts.round import RATE_PER_S, Outcome, Sabotage, Trial
from lab.hunts.shrink import Schedule
from lab.hunts.striking import Turns
from lab.substrates import registry
from lab.wait import eventually

Judge = Callable[[Schedule], Verdict]
LUCKLESS = 5.0
"""Minutes; a hunt whose rounds take no time ends by its number of rounds, or for its own reason."""


class Scripted(Hunt):
    """A hunt whose rounds have the verdict that `judge` gives, and take no time."""

    def __init__(self, judge: Judge, tmp_path: Path, *, going_on: bool = False) -> None:
        self.said: list[str] = []
        self.made: list[Trial] = []
        self.judge = judge
        super().__init__(
            registry.find("fake"), self.said.append, going_on=going_on, base=tmp_path / "labs"
        )

    def make(self, trial: Trial) -> Outcome:
        """No lab: the script says what came of it."""
        self.made.append(trial)
        verdict = self.judge(trial.schedule)
        return Outcome(trial, verdict, f"it is {verdict}", 30.0, 1000, Path("run"))


def breaks_by(*names: str) -> Judge:
    def judge(drawn: Schedule) -> Verdict:
        broken = set(names) <= {each.name for each in drawn}
        return Verdict.INVALID if broken else Verdict.VALID

    return judge


def test_a_hunt_ends_with_the_first_schedule_that_fails_and_makes_it_small(tmp_path: Path) -> None:
    hunt = Scripted(breaks_by("worker-killed", "broker-killed"), tmp_path)

    assert hunt.for_minutes(LUCKLESS, seed=1) is Verdict.INVALID
    assert [each.verdict for each in hunt.outcomes[:-1]] == [Verdict.VALID] * (
        len(hunt.outcomes) - 1
    )
    (smallest,) = hunt.smallest
    assert {each.name for each in smallest.trial.schedule} == {"worker-killed", "broker-killed"}
    assert len(smallest.trial.schedule) == 2
    assert f"    {smallest.trial.command}" in hunt.said
    assert smallest.trial.seed == hunt.outcomes[-1].trial.seed
    assert any(line.startswith("✗ INVALID") for line in hunt.said)


def test_a_hunt_that_keeps_going_makes_each_failing_schedule_small(tmp_path: Path) -> None:
    hunt = Scripted(breaks_by("worker-killed"), tmp_path, going_on=True)

    assert hunt.for_minutes(LUCKLESS, seed=1) is Verdict.INVALID
    assert len(hunt.outcomes) == ROUNDS_MAX - 1
    failed = [each for each in hunt.outcomes if each.verdict is Verdict.INVALID]
    assert len(hunt.smallest) == len(failed) > 1
    assert {len(each.trial.schedule) for each in hunt.smallest} == {1}


def test_all_valid_is_valid_and_says_how_much_was_done(tmp_path: Path) -> None:
    hunt = Scripted(breaks_by("earthquake"), tmp_path)

    assert hunt.for_minutes(LUCKLESS, seed=1) is Verdict.VALID
    faults = sum(len(each.trial.schedule) for each in hunt.outcomes)
    assert f"999 rounds, 999,000 messages, {faults} faults" in hunt.said[-1]
    assert hunt.said[-1].startswith("✓ VALID")


def test_what_is_not_known_is_said_and_passes_for_nothing(tmp_path: Path) -> None:
    def judge(drawn: Schedule) -> Verdict:
        return Verdict.UNKNOWN if len(drawn) == 5 else Verdict.VALID

    hunt = Scripted(judge, tmp_path)

    assert hunt.for_minutes(LUCKLESS, seed=1) is Verdict.UNKNOWN
    assert hunt.smallest == []
    unknown = [each for each in hunt.outcomes if each.verdict is Verdict.UNKNOWN]
    assert all(f"    {each.trial.command}" in hunt.said for each in unknown)
    assert any("not known: it is unknown" in line for line in hunt.said)


def test_a_schedule_that_fails_once_only_is_kept_as_it_is(tmp_path: Path) -> None:
    seen: set[str] = set()

    def judge(drawn: Schedule) -> Verdict:
        first = write(drawn) not in seen
        seen.add(write(drawn))
        return Verdict.INVALID if first and len(drawn) == 4 else Verdict.VALID

    hunt = Scripted(judge, tmp_path)

    assert hunt.for_minutes(LUCKLESS, seed=1) is Verdict.INVALID
    assert hunt.smallest == [hunt.outcomes[-1]]
    assert any("did not fail again" in line for line in hunt.said)


def test_a_smaller_schedule_has_to_fail_again_and_again(tmp_path: Path) -> None:
    """One that takes luck would make a command that may pass."""
    asked: Counter[str] = Counter()

    def judge(drawn: Schedule) -> Verdict:
        asked[write(drawn)] += 1
        lucky = len(drawn) < 3 and asked[write(drawn)] > 2
        broken = {"worker-killed"} <= {each.name for each in drawn}
        return Verdict.INVALID if broken and not lucky else Verdict.VALID

    hunt = Scripted(judge, tmp_path, going_on=True)
    hunt.for_minutes(LUCKLESS, seed=1)

    failed = [each for each in hunt.outcomes if each.verdict is Verdict.INVALID]
    sizes = [
        (len(first.trial.schedule), len(smallest.trial.schedule))
        for first, smallest in zip(failed, hunt.smallest, strict=True)
    ]
    assert max(size for size, _ in sizes) == 5
    assert all(smallest > 2 for size, smallest in sizes if size > 2)


def test_shrinking_has_an_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hunting, "TRIES_MAX", 5)
    hunt = Scripted(breaks_by("worker-killed"), tmp_path)

    hunt.for_minutes(LUCKLESS, seed=1)

    assert len(hunt.made) == len(hunt.outcomes) + 5
    assert any("No more tries" in line for line in hunt.said)


def test_the_same_seed_makes_the_same_rounds_and_another_one_others(tmp_path: Path) -> None:
    one, same, other = (Scripted(breaks_by("earthquake"), tmp_path) for _ in range(3))
    one.for_minutes(LUCKLESS, seed=1)
    same.for_minutes(LUCKLESS, seed=1)
    other.for_minutes(LUCKLESS, seed=2)

    assert one.made == same.made
    assert len({each.seed for each in one.made + other.made}) == len(one.made + other.made)


def test_the_command_that_is_printed_makes_the_same_trial() -> None:
    drawn = schedule.read("link-slowed:link=worker-api,latency_s=0.1@0.5s+1s,worker-killed@3s+2s")
    planted = Sabotage("early-ack", {})
    words = shlex.split(Trial(7003, drawn, 50.0, planted).command)

    assert words[:2] == ["lab", "hunt"]
    options = dict(zip(words[2::2], words[3::2], strict=True))
    assert schedule.read(options["--replay"]) == drawn
    assert options["--seed"] == "7003"
    assert options["--rate"] == "50"
    assert options["--sabotage"] == "early-ack"
    assert "--rate" not in Trial(1, drawn, RATE_PER_S).command


def test_a_lab_that_does_not_come_up_has_decided_nothing() -> None:
    """The substrate for tests runs no scraper: three such rounds, and there is no point in more."""
    ran = CliRunner().invoke(app, ["hunt", "--minutes", "1", "--substrate", "fake", "--seed", "5"])

    assert ran.exit_code == Verdict.UNKNOWN.exit_code
    assert ran.stdout.count("? unknown") == hunting.NOT_UP_MAX
    assert "cannot run the scraper" in ran.stdout
    assert "lab hunt --replay " in ran.stdout
    assert "3 rounds, 0 messages" in ran.stdout


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--replay", "earthquake@1s+1s"], "there is no fault 'earthquake'"),
        (["--replay", "worker-killed"], "a fault is written NAME@"),
        (["--sabotage", "nothing"], "there is no defect 'nothing' here; there are: early-ack"),
        (["--substrate", "moon"], "there is no substrate 'moon'"),
    ],
)
def test_what_makes_no_sense_is_refused(options: list[str], words: str) -> None:
    ran = CliRunner().invoke(app, ["hunt", *options])

    assert isinstance(ran.exception, CannotRun)
    assert words in str(ran.exception)


def test_a_failing_round_that_was_not_made_small_is_told_too(tmp_path: Path) -> None:
    """As when the hunt is interrupted meanwhile."""
    hunt = Scripted(breaks_by("worker-killed"), tmp_path, going_on=True)
    hunt.for_minutes(LUCKLESS, seed=1)
    failed = [each for each in hunt.outcomes if each.verdict is Verdict.INVALID]

    told = list(show.summary(hunt.outcomes, hunt.smallest[1:], 60.0))

    assert f"    {failed[0].trial.command}" in told
    assert len([line for line in told if "lab hunt --replay" in line]) == len(failed)


def test_nothing_to_judge_is_unknown() -> None:
    assert show.verdict_of([]) is Verdict.UNKNOWN


def test_faults_of_one_part_take_turns_and_those_of_others_do_not_wait() -> None:
    turns, order = Turns(), list[str]()

    def after(part: str) -> None:
        with turns.taken(part):
            order.append(part)

    with ThreadPoolExecutor() as threads:
        with turns.taken("worker-0"):
            waits = [threads.submit(after, "worker-*"), threads.submit(after, "worker-0")]
            threads.submit(after, "broker").result(60)
            order.append("cured")
        for each in waits:
            each.result(60)

    eventually("all of them", lambda: len(order) == 4, within_s=60)
    assert order[:2] == ["broker", "cured"]
    assert {"worker-0", "worker-*"} == set(order[2:])
