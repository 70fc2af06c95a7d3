"""What the gate hands on is what the sender wrote, by both protocols and in every encoding."""

from __future__ import annotations

import json
from typing import Any

import pytest

from system.contract.envelope import HELLO_TASK
from system.contract.topology import LEARN_QUEUE, PROCESS_QUEUE
from system.worker.gate import NESTING_MAX, Admitted, RawDelivery, admit


def _admitted(
    content: Any, *, task: str | None = None, encoding: str | None = None, queue: str = LEARN_QUEUE
) -> Admitted:
    headers = {} if task is None else {"task": task, "id": "m-1"}
    body = json.dumps(content).encode()
    delivery = RawDelivery(body, "application/json", encoding, headers, {}, queue)
    return admit(delivery, {HELLO_TASK, "greet"})


GIVEN: dict[str, tuple[dict[str, Any], list[Any], dict[str, Any]]] = {
    "both": ({"args": [1, "x"], "kwargs": {"to": "you"}}, [1, "x"], {"to": "you"}),
    "by place": ({"args": [1, "x"]}, [1, "x"], {}),
    "by name": ({"kwargs": {"to": "you"}}, [], {"to": "you"}),
    "none": ({}, [], {}),
}


@pytest.mark.parametrize(("given", "args", "kwargs"), GIVEN.values(), ids=GIVEN.keys())
def test_the_arguments_of_protocol_1_are_handed_on_and_may_be_left_out(
    given: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
) -> None:
    admitted = _admitted({"id": "t-1", "task": HELLO_TASK, **given})
    assert (admitted.args, admitted.kwargs) == (args, kwargs)


def test_the_arguments_of_protocol_2_are_handed_on_and_the_options_are_not() -> None:
    admitted = _admitted([[1, "x"], {"to": "you"}, {"chain": ["z"]}], task=HELLO_TASK)
    assert (admitted.args, admitted.kwargs) == ([1, "x"], {"to": "you"})
    assert json.loads(admitted.body)[:2] == [[1, "x"], {"to": "you"}]


@pytest.mark.parametrize("encoding", [None, "", "utf-8", "UTF-8", "utf8", "us-ascii", "ASCII"])
def test_every_name_of_the_encoding_that_senders_use_is_understood(encoding: str | None) -> None:
    assert _admitted([["Zürich"], {}, {}], task=HELLO_TASK, encoding=encoding).args == ["Zürich"]


def test_a_task_that_has_no_queue_of_its_own_is_taken_from_any() -> None:
    for queue in (LEARN_QUEUE, PROCESS_QUEUE):
        assert _admitted([[], {}, {}], task="greet", queue=queue).headers["task"] == "greet"


def test_what_is_wide_is_not_deep() -> None:
    wide: list[Any] = [{}] * 5 * NESTING_MAX
    assert _admitted([[wide], {}, {}], task=HELLO_TASK).args == [wide]
