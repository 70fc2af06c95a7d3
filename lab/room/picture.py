"""The way of a message as a picture: where its parts stand, and what is written at them. Pure.

There are two: a wide one, and a tall one for narrow windows. Both show the same numbers; a number
has a key, and the page's script writes its newest value wherever the key stands.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from lab.faults import registry as faults
from lab.room.scene import Scene
from lab.top.formatting import NO_VALUE, count, rate
from lab.top.snapshot import QueueSnapshot, Snapshot, WorkerSnapshot, total

WORKERS_MAX = 8
_ROW = 28
"""The height of one worker in its box."""
OK, BUSY, BAD, BROKEN, UNKNOWN = "ok", "busy", "bad", "broken", "unknown"
"""How a part is: `broken` on purpose, `bad` by itself."""


@dataclass(frozen=True, slots=True)
class Box:
    """A part; its lines of text have keys `<key>.1` and `<key>.2`."""

    key: str
    title: str
    x: int
    y: int
    w: int
    h: int
    lines: int = 1


@dataclass(frozen=True, slots=True)
class Arrow:
    """A way; its number has its key, and stands at `x`, `y` with its word below or beside it."""

    key: str
    path: str
    x: int
    y: int
    word: str
    anchor: str = "middle"
    beside: bool = False


@dataclass(frozen=True, slots=True)
class Drawing:
    """One picture. `rows` says where each worker stands: (name, y)."""

    name: str
    width: int
    height: int
    boxes: Sequence[Box]
    arrows: Sequence[Arrow]
    rows: Sequence[tuple[str, int]]
    row_x: int
    row_w: int
    more: int


def wide(workers: Sequence[str]) -> Drawing:
    """From left to right."""
    shown = workers[:WORKERS_MAX]
    tall_box = max(88, 40 + _ROW * max(1, len(shown)) + (18 if len(workers) > len(shown) else 0))
    top = 196 - tall_box // 2 if tall_box <= 150 else 120
    height = max(424, top + tall_box + 100)
    boxes = (
        Box("site", "League site", 8, 160, 112, 72),
        Box("scraper", "Scraper", 172, 160, 128, 72),
        Box("exchange", "Exchange", 388, 160, 112, 72),
        Box("queue", "Queue", 560, 148, 140, 96, 2),
        Box("workers", "Workers", 794, top, 176, tall_box, 0),
        Box("api", "API", 1064, 160, 118, 72),
        Box("database", "Database", 1064, 306, 118, 72),
        Box("outbox", "Outbox", 172, 306, 128, 72),
        Box("retry", "Retry steps", 560, 16, 140, 72),
        Box("dead", "Dead letters", 560, 306, 140, 72),
    )
    low, middle = height - 16, 796 + 88
    arrows = (
        Arrow("pages", "M120 196H166", 146, 186, ""),
        Arrow("published", "M300 196H382", 342, 186, "published"),
        Arrow("routed", "M500 196H554", 530, 186, ""),
        Arrow("delivered", "M700 196H788", 745, 186, "taken"),
        Arrow("posted", "M970 196H1058", 1015, 186, "applied"),
        Arrow("stored", "M1123 232V300", 1113, 262, "stored", "end"),
        Arrow("kept", "M226 232V300", 0, 0, ""),
        Arrow("sent", "M246 306V238", 254, 274, "first of all", "start", True),
        Arrow("bypass", f"M236 378V{low}H1040V214H1058", 360, low - 8, "by HTTP, past the broker",
              "start", True),
        Arrow("retried", f"M{middle} {top}V52H706", middle + 10, 58, "try later", "start", True),
        Arrow("back", "M630 88V142", 0, 0, ""),
        Arrow("died", f"M{middle} {top + tall_box}V342H706", 718, 332, "given up", "start", True),
    )  # fmt: skip
    rows = [(name, top + 34 + _ROW * place) for place, name in enumerate(shown)]
    return Drawing(
        "wide", 1190, height, boxes, arrows, rows, 802, 160, len(workers) - len(shown)
    )  # fmt: skip


def tall(workers: Sequence[str]) -> Drawing:
    """From top to bottom."""
    shown = workers[:WORKERS_MAX]
    box = max(96, 40 + _ROW * max(1, len(shown)) + (18 if len(workers) > len(shown) else 0))
    top = 396
    under = top + box
    boxes = (
        Box("site", "League site", 8, 8, 150, 52),
        Box("scraper", "Scraper", 8, 92, 150, 56),
        Box("outbox", "Outbox", 216, 92, 128, 56),
        Box("exchange", "Exchange", 8, 196, 150, 52),
        Box("queue", "Queue", 8, 280, 150, 72, 2),
        Box("retry", "Retry steps", 216, 280, 128, 56),
        Box("workers", "Workers", 8, top, 168, box, 0),
        Box("dead", "Dead letters", 224, top + 42, 120, 56),
        Box("api", "API", 8, under + 44, 150, 56),
        Box("database", "Database", 8, under + 140, 150, 56),
    )
    arrows = (
        Arrow("pages", "M83 60V86", 0, 0, ""),
        Arrow("published", "M83 148V190", 93, 174, "published", "start", True),
        Arrow("routed", "M83 248V274", 0, 0, ""),
        Arrow("delivered", f"M83 352V{top - 6}", 93, 379, "taken", "start", True),
        Arrow("posted", f"M83 {under}V{under + 38}", 93, under + 26, "applied", "start", True),
        Arrow("stored", f"M83 {under + 100}V{under + 134}", 93, under + 122, "stored", "start",
              True),
        Arrow("kept", "M158 112H210", 0, 0, ""),
        Arrow("sent", "M216 130H164", 0, 0, ""),
        Arrow("bypass", f"M344 120H354V{under + 72}H164", 182, under + 64, "by HTTP",
              "start", True),
        Arrow("retried", f"M176 {top + 16}H290V342", 282, top - 12, "try later", "end", True),
        Arrow("back", "M216 306H164", 0, 0, ""),
        Arrow("died", f"M176 {top + 70}H218", 232, top + 116, "given up", "start", True),
    )  # fmt: skip
    rows = [(name, top + 34 + _ROW * place) for place, name in enumerate(shown)]
    return Drawing(
        "tall", 360, under + 204, boxes, arrows, rows, 16, 152, len(workers) - len(shown)
    )  # fmt: skip


def workers_of(scene: Scene) -> list[str]:
    """The names of the workers that are drawn."""
    return [worker.name for worker in scene.snapshot.workers] if scene.snapshot else []


def texts(scene: Scene) -> dict[str, str]:
    """What stands at each key."""
    seen = scene.snapshot
    if seen is None:
        return {}
    queues = {queue.name: queue for queue in seen.queues}
    found = {
        "site.1": "match pages",
        "scraper.1": f"{_per_s(total(seen.accepted))} scraped",
        "exchange.1": "matches",
        "queue.1": f"{_ready(queues.get('process'))} waiting",
        "queue.2": f"{_unacked(queues.get('process'))} being worked on",
        "api.1": "checks, merges",
        "database.1": "match + receipt",
        "outbox.1": f"{count(seen.waiting)} waiting",
        "retry.1": f"{_ready(queues.get('retry'))} waiting",
        "dead.1": f"{_ready(queues.get('dead-letter'))} kept",
        "published": _per_s(seen.received),
        "delivered": _per_s(seen.acknowledged),
        "posted": _per_s(_attempts(seen)),
        "stored": _per_s(total(seen.effects)),
        "bypass": _per_s(seen.accepted.get("http")),
        "retried": _per_s(total(seen.retries)),
        "died": f"{count(total(seen.dead))} so far",
    }
    return found | {f"{worker.name}.1": _worker(worker) for worker in seen.workers}


def states(scene: Scene) -> dict[str, str]:
    """How each part and each way is."""
    seen = scene.snapshot
    if seen is None:
        return {}
    gone = {name.rpartition("-")[0] for name in seen.unreachable}
    queues = {queue.name: queue for queue in seen.queues}
    found = {
        "api": BAD if "api" in gone else OK,
        "exchange": BAD if "broker" in gone else OK,
        "queue": _filled(queues.get("process"), BAD if "broker" in gone else OK),
        "retry": _filled(queues.get("retry"), OK),
        "dead": _filled(queues.get("dead-letter"), OK),
        "outbox": BUSY if (seen.waiting or 0) > 0 else OK,
    }
    for worker in seen.workers:
        found[worker.name] = _worker_state(worker)
    for key, value in {
        "published": seen.received,
        "delivered": seen.acknowledged,
        "posted": _attempts(seen),
        "stored": total(seen.effects),
        "bypass": seen.accepted.get("http"),
        "retried": total(seen.retries),
    }.items():
        found[f"way.{key}"] = BUSY if value else OK
    return found | dict.fromkeys(broken(scene), BROKEN)


_PARTS: Mapping[str, tuple[str, ...]] = {
    "api": ("api",),
    "database": ("database",),
    "broker": ("exchange", "queue", "retry", "dead"),
    "worker-*": ("workers",),
    "worker-broker": ("way.delivered",),
    "worker-api": ("way.posted",),
    "api-database": ("way.stored",),
    "scraper-broker": ("way.published",),
    "scraper-api": ("way.bypass",),
    "*-broker": ("way.published", "way.delivered"),
}
"""What is drawn of each part that a fault can break; a worker is drawn by its own name."""


def broken(scene: Scene) -> list[str]:
    """The keys of what is broken on purpose."""
    known = faults.known()
    struck = {breach.fault: dict(breach.parameters) for breach in scene.breaches}
    found: list[str] = []
    for name in scene.faults:
        if name in known:
            part = known[name].part(struck.get(name, {}))
            found += _PARTS.get(part, (part,))
    return found


def _attempts(seen: Snapshot) -> float | None:
    rates = [worker.per_s for worker in seen.workers if worker.per_s is not None]
    return sum(rates) if rates else None


def _per_s(value: float | None) -> str:
    return f"{rate(value)}/s"


def _ready(queue: QueueSnapshot | None) -> str:
    return NO_VALUE if queue is None else count(queue.ready)


def _unacked(queue: QueueSnapshot | None) -> str:
    return NO_VALUE if queue is None else count(queue.unacked)


def _filled(queue: QueueSnapshot | None, else_: str) -> str:
    return BUSY if queue is not None and (queue.ready or 0) > 0 and else_ == OK else else_


def _worker(worker: WorkerSnapshot) -> str:
    if not worker.there:
        return "gone"
    busy = NO_VALUE if worker.in_flight is None else f"{worker.in_flight:.0f}"
    return f"{busy}/{count(worker.places)} busy · {_per_s(worker.per_s)}"


def _worker_state(worker: WorkerSnapshot) -> str:
    if not worker.there or worker.consuming is False:
        return BAD
    return BUSY if worker.in_flight else OK
