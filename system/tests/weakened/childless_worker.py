"""A worker whose main process is well, and none of whose pool children gets what it works with."""

from __future__ import annotations

import os
from typing import Any

from system.errors import SettingsError
from system.tests.weakened import run_given
from system.worker import equipment

_handler, _main = equipment.handler, os.getpid()


def _only_in_main(*args: Any) -> Any:
    if os.getpid() != _main:
        raise SettingsError("MISSING_TABLE_CA_FILE, /gone since: no such file")
    return _handler(*args)


if __name__ == "__main__":
    equipment.handler = _only_in_main  # type: ignore[assignment]
    run_given()
