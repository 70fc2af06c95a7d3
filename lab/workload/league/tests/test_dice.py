"""The dice fall alike everywhere."""

from __future__ import annotations

from collections import Counter

from lab.workload.league.dice import Dice


def test_the_same_name_gives_the_same_throws_on_every_machine() -> None:
    """Pinned: a change here means that every season of every seed has changed."""
    dice = Dice(7, "timeline", 1)
    assert [dice.between(1, 100) for _ in range(6)] == [63, 52, 100, 34, 17, 69]
    assert Dice(7, "order").shuffled("abcdefgh") == list("fbgcehad")


def test_different_names_give_different_throws() -> None:
    assert [Dice(1).between(0, 10**9)] != [Dice(2).between(0, 10**9)]


def test_every_number_of_the_range_comes_up_and_no_other() -> None:
    dice = Dice("range")
    assert set(Counter(dice.between(3, 6) for _ in range(400))) == {3, 4, 5, 6}


def test_shuffling_keeps_every_item() -> None:
    assert sorted(Dice("cards").shuffled(range(50))) == list(range(50))
