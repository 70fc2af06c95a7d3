"""Numbers as short text of a known width, and curves as a row of blocks. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from lab.top.snapshot import Number

NO_VALUE = "\N{EN DASH}"
"""Printed instead of a number that is not known."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_MINUTE_S, _HOUR_S = 60, 3600


def count(value: Number) -> str:
    """A count, in at most 6 characters below a billion: 12, 3,456, 78.9k."""
    if value is None:
        return NO_VALUE
    if abs(value) < 9_999.5:
        return f"{value:,.0f}"
    for unit, size in (("k", 1e3), ("M", 1e6)):
        if abs(value) < 999.95 * size:
            return f"{value / size:.1f}{unit}"
    return f"{value / 1e9:.1f}G"


def rate(value: Number) -> str:
    """A rate a second; a small one is never printed as 0."""
    if value is None:
        return NO_VALUE
    if 0 < value < 0.05:
        return "<0.1"
    return f"{value:.1f}" if value < 99.95 else count(value)


def duration(value: Number) -> str:
    """Seconds, in a unit that fits: 4 ms, 1.2 s, 3 min, 2 h."""
    if value is None:
        return NO_VALUE
    if value < 0.9995:
        return f"{value * 1000:.0f} ms"
    if value < 9.95:
        return f"{value:.1f} s"
    if value < 2 * _MINUTE_S:
        return f"{value:.0f} s"
    if value < 2 * _HOUR_S:
        return f"{value / _MINUTE_S:.0f} min"
    return f"{value / _HOUR_S:.0f} h"


def share(value: Number) -> str:
    """A share in percent, rounded down: 99.96 % is never shown as 100 %."""
    if value is None:
        return NO_VALUE
    hundredths = int(value * 10_000 + 1e-6) if value >= 0 else round(value * 10_000)
    text = f"{hundredths / 100:.2f}".rstrip("0").rstrip(".")
    return f"{text} %" if abs(value) < 100 else f"{value * 100:.0f} %"


def curve(points: Sequence[Number], width: int) -> str:
    """The last `width` points as blocks from 0 to their maximum; a gap is a space.

    A curve that is 0 throughout is a line at the bottom.
    """
    shown = list(points)[-width:]
    top = max((point for point in shown if point is not None), default=0) or 1
    last = len(_BLOCKS) - 1
    blocks = [
        " " if point is None else _BLOCKS[round(max(0.0, point) / top * last)] for point in shown
    ]
    return "".join(blocks).rjust(width)
