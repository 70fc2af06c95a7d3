"""The foreign messages of a round: their fates are known beforehand, and they can be repeated."""

from __future__ import annotations

import json
import random

import pytest

from lab.workload.foreign import DEAD_LETTER, EFFECT, messages
from system.contract import match as contract
from system.contract.errors import ContractViolation


def test_the_same_seed_sends_the_same() -> None:
    once, again = (
        [(p.kind, p.message_id, p.body) for p in messages(random.Random(5), 0)] for _ in range(2)
    )
    assert once == again


def test_each_round_has_its_own_ids_and_matches() -> None:
    rng = random.Random(5)
    rounds = [list(messages(rng, n)) for n in range(2)]
    assert not {p.message_id for p in rounds[0]} & {p.message_id for p in rounds[1]}
    valid = [
        {p.match["external_match_id"] for p in r if p.match and p.expect == EFFECT} for r in rounds
    ]
    assert not valid[0] & valid[1]


def test_what_is_to_take_effect_keeps_the_contract() -> None:
    for message in messages(random.Random(5), 0):
        if message.expect == EFFECT:
            assert contract.parse(message.match).observed_at is None  # as today's senders


def test_what_breaks_the_contract_breaks_it_in_one_way() -> None:
    for message in messages(random.Random(5), 0):
        if message.expect == DEAD_LETTER and message.match is not None:
            with pytest.raises(ContractViolation) as refusal:
                contract.parse(message.match)
            assert len(refusal.value.violations) == 1


def test_the_earlier_systems_messages_have_neither_headers_nor_message_id() -> None:
    first = next(messages(random.Random(5), 0))
    assert not {"headers", "message_id"} & first.properties.keys()
    assert json.loads(first.body)["id"] == first.message_id
