"""How a broker differs from the topology, in words, and which request repairs each difference.

Pure: it compares what `definitions` asks for with what the management API lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from system.contract.errors import abbreviate
from system.contract.topology import RETURNED_EXCHANGE, VHOST

Row = Mapping[str, Any]

PARTS = {
    "exchanges": f"exchanges/{quote(VHOST, safe='')}",
    "queues": f"queues/{quote(VHOST, safe='')}?columns=name,durable,auto_delete,arguments",
    "bindings": f"bindings/{quote(VHOST, safe='')}",
    "policies": f"policies/{quote(VHOST, safe='')}",
    "permissions": f"vhosts/{quote(VHOST, safe='')}/permissions",
    "users": "users",
}
"""What is compared → where the management API lists it, below `/api/`."""


@dataclass(frozen=True, slots=True)
class Repair:
    """A request to the management API that repairs a difference; it can be made twice."""

    method: str
    path: str
    body: Row


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference.

    Attributes:
        words: what differs, and if no request repairs it, what to do.
        repair: None if a person has to do it.
    """

    words: str
    repair: Repair | None = None


def compare(
    wanted: Mapping[str, Sequence[Row]],
    found: Mapping[str, Sequence[Row]],
    *,
    optional_users: Sequence[str] = (),
) -> list[Difference]:
    """Every difference, in an order in which they can be repaired.

    What the broker holds beyond the topology is nobody's concern here, but for a policy that comes
    before one of ours, and for a queue that keeps what should be returned.

    Args:
        wanted: as `definitions` gives it.
        found: the broker's lists, by the names of PARTS.
        optional_users: who may be missing: not every deployment needs them.
    """
    return [
        *_entities("exchange", wanted["exchanges"], found["exchanges"]),
        *_entities("queue", wanted["queues"], found["queues"]),
        *_bindings(wanted["bindings"], found["bindings"]),
        *_caught(found["bindings"]),
        *_policies(wanted["policies"], found["policies"]),
        *_overruled(wanted, found["policies"]),
        *_permissions(wanted["permissions"], found, optional_users),
    ]


def _entities(kind: str, wanted: Sequence[Row], found: Sequence[Row]) -> Iterator[Difference]:
    """Exchanges and queues: a missing one is made; one of another kind cannot be changed."""
    there = {row["name"]: row for row in found}
    for row in wanted:
        name = row["name"]
        asked = {key: value for key, value in row.items() if key not in ("name", "vhost")}
        if name not in there:
            path = _path(f"{kind}s", name)
            yield Difference(f"{kind} {name} is missing", Repair("PUT", path, asked))
            continue
        changed = _changed(asked, there[name])
        if changed:
            rescue = " (move its messages first: a shovel does that)" if kind == "queue" else ""
            yield Difference(
                f"{kind} {name} is of another kind: {changed}. A broker cannot change that:"
                f" stop its users, delete it{rescue}, and apply again"
            )


def _bindings(wanted: Sequence[Row], found: Sequence[Row]) -> Iterator[Difference]:
    there = [_binding(row) for row in found]
    for row in wanted:
        if _binding(row) in there:
            continue
        letter = row["destination_type"][0]
        key, arguments = row["routing_key"], row["arguments"]
        path = f"{_path('bindings', 'e')}/{_quoted(row['source'])}/{letter}"
        yield Difference(
            f"binding from exchange {row['source']} to {row['destination_type']}"
            f" {row['destination']} by key {key!r} is missing"
            + (f", with arguments {abbreviate(arguments)}" if arguments else ""),
            Repair(
                "POST",
                f"{path}/{_quoted(row['destination'])}",
                {"routing_key": key, "arguments": arguments},
            ),
        )


def _caught(found: Sequence[Row]) -> Iterator[Difference]:
    """Bindings of the exchange from which messages are returned only as long as it has none."""
    for row in found:
        if row["source"] == RETURNED_EXCHANGE:
            yield Difference(
                f"exchange {RETURNED_EXCHANGE} is bound to {row['destination']}, which now keeps"
                " what publishers ask back; delete that binding"
            )


def _policies(wanted: Sequence[Row], found: Sequence[Row]) -> Iterator[Difference]:
    there = {row["name"]: row for row in found}
    for row in wanted:
        name = row["name"]
        asked = {key: value for key, value in row.items() if key not in ("name", "vhost")}
        repair = Repair("PUT", _path("policies", name), asked)
        if name not in there:
            yield Difference(f"policy {name} is missing", repair)
        elif changed := _changed(asked, there[name]):
            yield Difference(f"policy {name} was changed: {changed}", repair)


def _overruled(wanted: Mapping[str, Sequence[Row]], found: Sequence[Row]) -> Iterator[Difference]:
    """Policies of others that the broker applies instead of ours: only one is, for each name."""
    own = {row["name"] for row in wanted["policies"]}
    for other in found:
        if other["name"] in own:
            continue
        for kind in ("queues", "exchanges"):
            ours = [row for row in wanted["policies"] if row["apply-to"] == kind]
            for row in ours:
                name = row["name"].removesuffix(".alternate")
                if (
                    other["apply-to"] in (kind, "all")
                    and other["priority"] >= row["priority"]
                    and _fits(other["pattern"], name)
                ):
                    yield Difference(
                        f"policy {other['name']!r} is applied to {kind[:-1]} {name} instead of"
                        f" {row['name']}: its priority is {other['priority']}. If it is not meant"
                        " to, delete it"
                    )


def _permissions(
    wanted: Sequence[Row], found: Mapping[str, Sequence[Row]], optional: Sequence[str]
) -> Iterator[Difference]:
    users = {row["name"] for row in found["users"]}
    there = {row["user"]: row for row in found["permissions"]}
    for row in wanted:
        user = row["user"]
        asked = {right: row[right] for right in ("configure", "write", "read")}
        repair = Repair("PUT", _path("permissions", user), asked)
        if user not in users:
            if user not in optional:
                yield Difference(
                    f"user {user} is missing. Its password is not known here: create the user with"
                    " `rabbitmqctl add_user`, and apply again"
                )
        elif user not in there:
            yield Difference(f"user {user} has no permissions", repair)
        elif changed := _changed(asked, there[user]):
            yield Difference(f"user {user} has other permissions: {changed}", repair)


def _changed(asked: Row, there: Row) -> str:
    """What differs, in words; empty if nothing does."""
    pairs = [(name, there.get(name), value) for name, value in asked.items()]
    pairs = [each for pair in pairs for each in _within(*pair)]
    return "; ".join(
        f"{name} is {_shown(have)} and must be {_shown(must)}"
        for name, have, must in pairs
        if have != must
    )


def _shown(value: Any) -> str:
    """A setting of the broker; what is not there is not set."""
    return "not set" if value is None else abbreviate(value)


def _within(name: str, have: Any, must: Any) -> list[tuple[str, Any, Any]]:
    """The entries of two mappings, or the two values themselves."""
    if isinstance(have, Mapping) and isinstance(must, Mapping):
        return [(key, have.get(key), must.get(key)) for key in sorted({*have, *must})]
    return [(name, have, must)]


def _binding(row: Row) -> tuple[Any, ...]:
    return tuple(
        row[key]
        for key in ("source", "destination", "destination_type", "routing_key", "arguments")
    )


def _fits(pattern: str, name: str) -> bool:
    """Whether the pattern, another's, fits; one that Python cannot read is taken to fit."""
    try:
        return re.search(pattern, name) is not None
    except re.error:
        return True


def _path(part: str, name: str) -> str:
    return f"{part}/{_quoted(VHOST)}/{_quoted(name)}"


def _quoted(text: str) -> str:
    return quote(text, safe="")
