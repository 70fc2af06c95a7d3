"""The keeper's socket owes its callers' cures, however the first of them goes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
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
        eventually("both cures to be tried", lambda: len(tried) == 2, within_s=20)
    assert tried == ["second", "first"]  # the newest first
