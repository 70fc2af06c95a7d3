"""The Celery application that Flower runs with: it reads events and sends no commands.

Remote control is switched off in the workers. Flower would send commands all the same, at its start
and for each page, which needs rights over an exchange and queues, and would get no answer. Here
each command has no answer at once, so reading events is the only right that Flower needs.
"""

from __future__ import annotations

from typing import Any

from celery import Celery
from celery.app.control import Control, Inspect
from celery.events import event_exchange


class _NoAnswers(Inspect):  # type: ignore[misc] # Celery publishes no types
    def _request(self, command: str, **arguments: Any) -> dict[str, Any]:
        return {}


class _Silent(Control):  # type: ignore[misc]
    inspect = _NoAnswers

    def broadcast(self, *args: Any, **options: Any) -> list[Any]:
        """Nothing is sent; no reply comes."""
        return []


event_exchange.no_declare = True  # the broker's definitions declare it; Flower may not
# Its address comes from the environment (CELERY_BROKER_URL): it holds a password.
app = Celery("flower", control=_Silent, set_as_current=False)
app.conf.event_queue_exclusive = True  # so it goes with its connection
