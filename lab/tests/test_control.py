"""The keeper's socket owes its callers' cures, however they go and however a cure ends."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest

from lab.errors import SubstrateError
from lab.substrates.local import control
from lab.substrates.local.instance import Instance
from lab.substrates.local.local import Local
from lab.wait import eventually


@pytest.mark.parametrize("fails", ["first", "second"])
def test_a_cure_that_fails_keeps_no_other_from_being_done(fails: str, tmp_path: Path) -> None:
    tried: list[str] = []

    @contextmanager
    def strike(fault: str, _: Mapping[str, Any]) -> Iterator[None]:
        yield
        tried.append(fault)
        if fault == fails:
            raise SubstrateError("cannot be mended")

    with control.served(tmp_path, Local(Instance.named("never-up", tmp_path)), strike):
        caller = control.Client(tmp_path)
        for fault in "first", "second":
            caller.call("strike", fault=fault, parameters={})
        caller.close()
        eventually("both cures to be tried", lambda: len(tried) == 2, within_s=60)
    assert tried == ["second", "first"]  # the newest first


def test_a_run_that_has_gone_is_not_missed_by_prometheus(tmp_path: Path) -> None:
    """Its metrics went with it; as a target it would be unreachable for as long as the lab runs."""
    local = Local(Instance.named("never-up", tmp_path))
    with control.served(tmp_path, local, lambda *_: nullcontext()):
        caller = control.Client(tmp_path)
        caller.call("watch", "lab", "a run", "127.0.0.1:9")
        assert local._watched == {"lab": {"a run": "127.0.0.1:9"}}
        caller.close()
        eventually("it to be forgotten", lambda: not local._watched["lab"], within_s=60)
