"""The shape of a load, as Locust asks for it: how many users there are, and when it is over.

What comes when is the profile's matter; a user is a sender, and there is one for each process.
"""

from __future__ import annotations

from typing import Any

from locust import LoadTestShape, User

from load import options
from load.leader import Leader
from load.users import HttpUser, QueueUser


class ProfileShape(LoadTestShape):
    """One sender for each process, until the load is offered and judged."""

    leader: Leader | None = None

    def tick(self) -> tuple[int, float, list[type[User]] | None] | None:
        """The number of users; None once the load is over."""
        assert self.leader is not None
        assert self.runner is not None
        if not self.leader.goes_on():
            return None
        senders = max(1, len(self.leader.senders()))
        given: Any = self.runner.environment.parsed_options
        by_http = given.way == options.HTTP
        return senders, float(senders), [HttpUser if by_http else QueueUser]
