"""What a pod is, and whether another one took its place. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of a part.

    Attributes:
        part: as the lab names it, such as `worker-0`.
        uid: never given twice, also if the name is.
        container: the name of its container.
        claims: the volumes that outlive it: the uid of each claim, by its name.
    """

    part: str
    name: str
    uid: str
    container: str
    ready: bool
    ending: bool
    claims: Mapping[str, str] = field(default_factory=dict)


def standing(pods: Iterable[Pod], parts: Sequence[str]) -> dict[str, Pod]:
    """The pod of each part that is ready and stays."""
    return {
        each.part: each for each in pods if each.part in parts and each.ready and not each.ending
    }


def replaced(before: Mapping[str, Pod], now: Iterable[Pod]) -> dict[str, Pod]:
    """The pods that took the places of those before; a part whose first pod is there is not in it.

    Claims that are others than before are no replacement: the data is not the same.
    """
    known = list(now)
    there = {each.uid for each in known}
    after = standing(known, [*before])
    return {
        part: after[part]
        for part, was in before.items()
        if was.uid not in there and part in after and after[part].claims == was.claims
    }
