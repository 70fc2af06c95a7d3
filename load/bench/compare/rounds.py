"""Rounds: everybody takes a turn in each, in an order that is drawn anew, by a seed."""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Sequence
from pathlib import Path

from load.bench.compare.turn import Contender, Turn, take


def parser(prog: str, about: str | None) -> argparse.ArgumentParser:
    """A command line with the options of every comparison."""
    made = argparse.ArgumentParser(prog=prog, description=about)
    made.add_argument("--messages", type=int, default=8000, help="that wait, in each turn")
    made.add_argument("--rounds", type=int, default=5)
    made.add_argument("--seed", type=int, default=1, help="of the order of turns")
    return made


def orders(count: int, rounds: int, seed: int) -> list[list[int]]:
    """Who is when, for each round. Pure."""
    rng = random.Random(seed)
    return [rng.sample(range(count), count) for _ in range(rounds)]


def run(
    contenders: Sequence[Contender],
    *,
    messages: int,
    rounds: int,
    seed: int,
    folder: Path,
    say: Callable[[Turn], None],
) -> list[list[Turn]]:
    """Run all rounds.

    Args:
        folder: where each turn leaves its record and logs, in a folder of its own.
        say: called with each turn.
    """
    done = []
    for number, order in enumerate(orders(len(contenders), rounds, seed), start=1):
        turns = []
        for at in order:
            contender = contenders[at]
            place = folder / f"{number}-{contender.name.replace(', ', '-').replace(' ', '-')}"
            place.mkdir(parents=True)
            turns.append(take(contender, messages, place))
            say(turns[-1])
        done.append(turns)
    return done
