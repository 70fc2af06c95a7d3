"""A refused login is tried again after pauses that grow, are bounded, and are spread."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from pydantic import SecretStr

from system.login import FIRST_S, MAX_S, Login
from system.secret_files import SecretFile


class Clock:
    """Monotonic seconds that pass when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """What time it is."""
        return self.now


def test_the_pauses_grow_and_stay_bounded() -> None:
    clock = Clock()
    login = Login(SecretStr("wrong"), random.Random(7), clock)
    assert login.wait_s() == 0
    pauses = []
    for _ in range(12):
        pauses.append(login.refused("wrong"))
        assert login.wait_s() == pytest.approx(pauses[-1])
        clock.now += pauses[-1] + 1e-6
        assert login.wait_s() == 0
    assert FIRST_S / 2 <= pauses[0] <= FIRST_S
    assert pauses[:5] == sorted(pauses[:5])
    assert all(MAX_S / 2 <= pause <= MAX_S for pause in pauses[6:])


def test_clients_that_were_refused_together_do_not_come_back_together() -> None:
    pauses = {Login(SecretStr("wrong"), random.Random(n)).refused("wrong") for n in range(20)}
    assert len(pauses) == 20


def test_another_secret_is_tried_at_once_and_begins_anew(tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("of yesterday")
    login = Login(SecretFile("X_FILE", file), random.Random(7), Clock())
    for _ in range(6):
        login.refused("of yesterday")
    assert login.wait_s() > FIRST_S
    file.write_text("of today")
    assert login.wait_s() == 0
    assert login.refused("of today") <= FIRST_S


def test_after_a_login_the_pauses_begin_small_again() -> None:
    login = Login(SecretStr("right at last"), random.Random(7), Clock())
    for _ in range(6):
        login.refused("right at last")
    login.accepted()
    assert login.wait_s() == 0
    assert login.refused("right at last") <= FIRST_S
