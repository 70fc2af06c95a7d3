"""What the worker's tests on real services share."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from system.worker.tests.bench import Bench


@pytest.fixture
def bench(shared_lab: Any) -> Iterator[Bench]:
    """The shared system; whatever a test let die in it is taken out afterwards."""
    running = Bench(shared_lab)
    yield running
    running.clear()
