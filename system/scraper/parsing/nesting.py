"""How deep the elements of a page are nested: the time to parse grows with its square. Pure."""

from __future__ import annotations

import re
from collections import Counter

DEPTH_MAX = 10_000
"""A page this deep is parsed within a second; a real page is some 20 deep."""

_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_NEVER_OPEN = frozenset(
    ["area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr"]
)
_CLOSED_BY_THE_NEXT = frozenset(["dd", "dt", "li", "option", "p", "td", "th", "tr"])


def too_deep(html: str) -> bool:
    """Whether a page is nested so deep that it must not be given to a parser.

    An estimate by counting tags, not a parser: meant for broken templates that open elements
    without end. A page with fewer tags than the bound is not examined.
    """
    if html.count("<") <= DEPTH_MAX:
        return False
    depth = 0
    open_tags: Counter[str] = Counter()
    for tag in _TAG.finditer(html):
        name = tag[2].lower()
        if name in _NEVER_OPEN or name in _CLOSED_BY_THE_NEXT:
            continue
        if not tag[1]:
            open_tags[name] += 1
            depth += 1
        elif open_tags[name]:
            open_tags[name] -= 1
            depth -= 1
        if depth > DEPTH_MAX:
            return True
    return False
