"""What a retry or a dead letter keeps of the message that came."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from system.contract import envelope
from system.contract.tests.samples import OURS
from system.errors import ContractViolation
from system.worker.handling import Incoming, match_argument, rebuild_envelope

CAME = Incoming("m-1", (OURS,), {}, datetime(2025, 10, 19, tzinfo=UTC), 3, 2, "3.0")


def test_a_message_is_wrapped_again_as_it_came() -> None:
    again = rebuild_envelope(CAME)
    assert again.arguments == [OURS]
    assert (again.message_id, again.attempt, again.published_at) == ("m-1", 3, CAME.published_at)
    assert again.headers[envelope.REPLAYS] == 2
    assert again.headers[envelope.CONTRACT] == "3.0"


@pytest.mark.parametrize(("args", "kwargs"), [((), {}), ((OURS, OURS), {}), ((OURS,), {"x": 1})])
def test_a_task_takes_one_match_and_nothing_else(
    args: tuple[object, ...], kwargs: dict[str, int]
) -> None:
    with pytest.raises(ContractViolation, match="must be one match, not"):
        match_argument(Incoming("m-1", args, kwargs, None, 1))
