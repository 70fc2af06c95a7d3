"""The addresses of a broker, one or several."""

from __future__ import annotations

import pytest

from system.contract.addresses import addresses

ONE = "amqp://worker:secret@a:5672/%2F"
OTHER = "amqps://worker:secret@b:5671/%2F"


@pytest.mark.parametrize(
    ("setting", "found"),
    [
        (ONE, [ONE]),
        (f"{ONE};{OTHER}", [ONE, OTHER]),
        (f"{ONE}; {OTHER}", [ONE, OTHER]),
        ("amqp://worker:se;cret@a/%2F", ["amqp://worker:se;cret@a/%2F"]),
        ("", [""]),
    ],
)
def test_a_semicolon_before_another_address_is_between_two(setting: str, found: list[str]) -> None:
    assert addresses(setting) == found
