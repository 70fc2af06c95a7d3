"""From the matches of a run to envelopes: what is new, under which id, observed when. Pure.

One run may see a match many times. An equal observation is not sent again; a different one is, and
wins over the one that was sent before it.
"""

from __future__ import annotations

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from system.contract import match as contract
from system.contract.envelope import Envelope, new_message_id, wrap
from system.contract.match import Match

_NAMESPACE = uuid.UUID("6b6f0c1e-6d0e-5d0a-9a3c-1f6f1a2b3c4d")
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class _Sent:
    content: bytes
    observed_at: datetime
    times: int


class Messages:
    """Remembers what a run has sent, some 200 bytes for each match.

    Args:
        origin: when the run began, on its clock.
        seed: makes the ids of a run repeatable: the same seed, origin and content give the same
            ids, so that the store recognises a repeated run. None for new ids.
    """

    def __init__(self, origin: datetime, seed: int | None = None) -> None:
        self._origin = origin
        self._seed = seed
        self._sent: dict[str, _Sent] = {}

    def fresh(
        self, matches: Iterable[Match], *, published_at: datetime
    ) -> list[tuple[Envelope, Match]]:
        """Return those of `matches` that were not sent yet, each in its envelope.

        Two different observations of one match on one page have the same time; the second one gets
        an `observed_at` that is a microsecond later, since newest wins.
        """
        fresh = []
        for match in matches:
            content = _content(match)
            before = self._sent.get(match.identity)
            if before is not None and before.content == content:
                continue
            observed_at = match.observed_at or self._origin
            if before is not None:
                observed_at = max(observed_at, before.observed_at + _TICK)
            sent = _Sent(content, observed_at, before.times + 1 if before else 1)
            self._sent[match.identity] = sent
            observed = match.model_copy(update={"observed_at": observed_at})
            message_id = self._message_id(match.identity, sent)
            fresh.append(
                (wrap(observed, message_id=message_id, published_at=published_at), observed)
            )
        return fresh

    def _message_id(self, identity: str, sent: _Sent) -> str:
        if self._seed is None:
            return new_message_id()
        parts = (str(self._seed), self._origin.isoformat(), identity, str(sent.times))
        return str(uuid.uuid5(_NAMESPACE, "\x1f".join((*parts, sent.content.hex()))))


def _content(match: Match) -> bytes:
    """A digest of an observation without its time."""
    said = contract.dump(match)
    said.pop("observed_at", None)
    return hashlib.sha256(json.dumps(said, sort_keys=True).encode()).digest()
