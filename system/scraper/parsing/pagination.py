"""The way from one schedule page to the next, and what a page says about how many there are.

What cannot be understood is not guessed: a page whose Next is an icon may not be the last one, and
the reader says so.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from selectolax.lexbor import LexborHTMLParser, LexborNode

from system.contract.names import clean

_DIGITS_MAX = 6
_ITEMS_MAX = 200
"""A real pagination has some ten; each of them is searched for links."""
_ACTIVE = frozenset({"active", "current"})
_BACK = frozenset({"prev", "previous"})


@dataclass(frozen=True, slots=True)
class Pagination:
    """The way on from a page.

    Attributes:
        next_link: address of the next page as written there; None if there is none to follow.
        number: of this page; None if the page does not show it.
        last: the highest number of a page that is shown; None if there is none.
        doubt: why there may be pages to which `next_link` does not lead; None if there are none.
    """

    next_link: str | None = None
    number: int | None = None
    last: int | None = None
    doubt: str | None = None

    @property
    def at_last(self) -> bool:
        """Whether the page shows that no page has a higher number."""
        return self.number is not None and self.number == self.last


def pagination(tree: LexborHTMLParser) -> Pagination:
    """Read the pagination of a page; one that has none is the only page."""
    box = tree.css_first(".pagination")
    if box is None:
        if any(map(_says_next, tree.css("a"))):
            return Pagination(doubt="a link says Next, but is in no pagination that is known")
        return Pagination()
    items = box.css("li")[:_ITEMS_MAX]
    number, last = _numbers(items)
    found = [(item, link) for item in items for link in item.css("a") if _says_next(link)]
    if not found:
        there_are_more = (last or 0) > (number or 1) or _leads_elsewhere(box, items)
        doubt = "no link that says Next, and other pages" if there_are_more else None
    elif _is_disabled(*found[0]):
        ahead = number is not None and last is not None and last > number
        doubt = f"Next is disabled on page {number}, and there are pages up to {last}"
        return Pagination(None, number, last, doubt if ahead else None)
    elif link := found[0][1].attributes.get("href"):
        return Pagination(link, number, last)
    else:
        doubt = "its Next has no address"
    at_last = number is not None and number == last
    return Pagination(None, number, last, None if at_last else doubt)


def _says_next(link: LexborNode) -> bool:
    return link.attributes.get("rel") == "next" or clean(link.text()).casefold() == "next"


def _is_disabled(item: LexborNode, link: LexborNode) -> bool:
    return any(
        "disabled" in _classes(node) or node.attributes.get("aria-disabled") == "true"
        for node in (item, link)
    )


def _leads_elsewhere(box: LexborNode, items: Sequence[LexborNode]) -> bool:
    """Whether a link may lead on: one that is not disabled, and neither a number nor Prev."""
    pairs = [(item, link) for item in items for link in item.css("a")]
    pairs = pairs if items else [(box, link) for link in box.css("a")]
    return any(
        not _is_disabled(item, link)
        and link.attributes.get("rel") != "prev"
        and clean(link.text()).casefold() not in _BACK
        and _number(link) is None
        for item, link in pairs
    )


def _numbers(items: Iterable[LexborNode]) -> tuple[int | None, int | None]:
    """The number of this page, and the highest one that is shown."""
    shown = [(item, number) for item in items if (number := _number(item)) is not None]
    here = [number for item, number in shown if _is_active(item)]
    last = max((number for _, number in shown), default=None)
    return (here[0] if len(here) == 1 else None), last


def _number(node: LexborNode) -> int | None:
    text = clean(node.text())
    digits = text.isascii() and text.isdigit() and len(text) <= _DIGITS_MAX
    return int(text) if digits else None


def _is_active(item: LexborNode) -> bool:
    return bool(_ACTIVE & set(_classes(item))) or any(
        node.attributes.get("aria-current") for node in (item, *item.css("a, span"))
    )


def _classes(node: LexborNode) -> list[str]:
    return (node.attributes.get("class") or "").split()
