"""The floor plan as a picture: the rooms of the lab by layer, and the arrows that imports make.

Rooms and layers are read from the import contract in pyproject.toml, arrows from the code itself:
the picture shows what is so.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

import grimp

from lab.paths import PROJECT

FILE = PROJECT / "docs" / "pictures" / "layout.svg"
CONTRACT = "Arrows in the lab go down only"
FLOOR_LAYERS = 3
"""The lowest layers: everything may use them, so arrows to them would show nothing."""
_BOX_W, _BOX_H, _ROW_H, _GAP, _WIDTH = 132, 30, 62, 18, 760
_HEAD = """\
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img"
 aria-label="The rooms of the lab and what imports what"><style>{style}</style>
<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7"
 orient="auto"><path d="M0 0L8 4L0 8"/></marker></defs>"""
_STYLE = """\
text{font:13px system-ui,sans-serif;fill:#1d2733;text-anchor:middle;dominant-baseline:central}
rect{fill:#eef3f8;stroke:#4f6d8c}path{fill:none;stroke:#4f6d8c;stroke-opacity:.4}
.floor{fill:#e7f2ea;stroke:#4a7d5a}
@media (prefers-color-scheme:dark){text{fill:#e6edf3}rect{fill:#1f2a36;stroke:#7f9fc0}
.floor{fill:#1d3025;stroke:#7fb893}path{stroke:#9db8d6}}"""


def layers(pyproject: str) -> list[list[str]]:
    """The layers of the contract, the top one first; each with its rooms."""
    contracts = tomllib.loads(pyproject)["tool"]["importlinter"]["contracts"]
    (contract,) = (each for each in contracts if each["name"] == CONTRACT)
    return [[room.strip() for room in layer.split("|")] for layer in contract["layers"]]


def arrows(rooms: list[str]) -> set[tuple[str, str]]:
    """From which room imports lead to which other, the tests left out."""
    graph = grimp.build_graph("lab", "system", "scenarios", "chaos", "load", cache_dir=None)
    found = set()
    for module in graph.modules:
        source = _room(module, rooms)
        if source is None or ".tests" in module:
            continue
        for imported in graph.find_modules_directly_imported_by(module):
            target = _room(imported, rooms)
            if target is not None and target != source:
                found.add((source, target))
    return found


def _room(module: str, rooms: list[str]) -> str | None:
    return next(
        (room for room in rooms if module == room or module.startswith(f"{room}.")),
        None,
    )


def picture() -> str:
    """The picture, as SVG."""
    plan = layers((PROJECT / "pyproject.toml").read_text("utf-8"))
    places = _places(plan)
    height = _ROW_H * len(plan) + _GAP
    drawn = [
        _HEAD.format(width=_WIDTH, height=height, style=_STYLE),
    ]
    floor = {room for rooms in plan[-FLOOR_LAYERS:] for room in rooms}
    for source, target in sorted(arrows(list(places))):
        if target in floor:
            continue  # everything stands on these
        (x1, y1), (x2, y2) = places[source], places[target]
        begin, end = y1 + _BOX_H / 2, y2 - _BOX_H / 2
        bend = (begin + end) / 2
        drawn.append(
            f'<path d="M{x1:g} {begin:g}C{x1:g} {bend:g} {x2:g} {bend:g} {x2:g} {end:g}" '
            f'marker-end="url(#tip)"><title>{source} imports {target}</title></path>'
        )
    for room, (x, y) in places.items():
        kind = ' class="floor"' if room in floor else ""
        left, top = x - _BOX_W / 2, y - _BOX_H / 2
        drawn.append(
            f'<rect{kind} x="{left:g}" y="{top:g}" width="{_BOX_W}" height="{_BOX_H}" rx="5"/>'
            f'<text x="{x:g}" y="{y:g}">{room}</text>'
        )
    return "\n".join([*drawn, "</svg>\n"])


def _places(plan: list[list[str]]) -> dict[str, tuple[float, float]]:
    """The middle of each room: layers from top to bottom, their rooms side by side."""
    places = {}
    for row, rooms in enumerate(plan):
        width = len(rooms) * _BOX_W + (len(rooms) - 1) * _GAP
        for column, room in enumerate(rooms):
            left = (_WIDTH - width) / 2 + column * (_BOX_W + _GAP)
            places[room] = (left + _BOX_W / 2, _GAP + _BOX_H / 2 + row * _ROW_H)
    return places


def pages() -> dict[Path, str]:
    """The file and what it should hold."""
    return {FILE: picture()}
