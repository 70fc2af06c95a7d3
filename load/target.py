"""What a load is for: a lab that is up, or a system elsewhere."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass

from lab.substrates import registry
from lab.substrates.protocol import Endpoints


@dataclass(frozen=True, slots=True)
class Target:
    """What a load is for.

    Attributes:
        host: `http(s)://host:port` of the API of a system elsewhere; None for a lab that is up.
        lab, substrate: which lab.
    """

    host: str | None
    lab: str = "default"
    substrate: str = registry.DEFAULT

    def endpoints(self, environment: Mapping[str, str] = os.environ) -> Endpoints:
        """Where it answers; it holds passwords.

        Raises:
            CannotRun: no such lab is up, or the environment lacks something.
        """
        if self.host:
            return registry.endpoints_elsewhere(self.host, environment)
        return registry.endpoints(self.lab, self.substrate)

    def words(self) -> list[str]:
        """The same as options of `lab observe`."""
        if self.host:
            return ["--host", self.host]
        return ["--name", self.lab, "--substrate", self.substrate]
