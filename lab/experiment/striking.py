"""Breaking a lab that is kept, on behalf of others: faults as its keeper strikes them."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from lab.faults import registry
from lab.substrates.protocol import Endpoints, Substrate
from lab.substrates.provider import Strike


@dataclass(frozen=True, slots=True)
class _Target:
    substrate: Substrate
    endpoints: Endpoints


def striker(substrate: Substrate, endpoints: Endpoints) -> Strike:
    """What breaks this lab by a fault's name; the caller keeps the record."""

    def strike(fault: str, parameters: Mapping[str, Any]) -> AbstractContextManager[None]:
        return registry.struck(fault, _Target(substrate, endpoints), **parameters)

    return strike
