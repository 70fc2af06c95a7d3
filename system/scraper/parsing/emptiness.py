"""A page without rows: does it say that nothing is scheduled, or has it only changed? Pure.

Between seasons the league shows its schedule without a match, and that is right. A page that asks
for a login, or whose rows have other classes than before, has no rows for us either.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from system.contract.names import clean

_TEXT_MAX = 100
_OF_A_ROW = ".container-first-team, .container-second-team, .container-score, .score-match-table"
_NOT_SAID = frozenset({"script", "style", "template", "noscript", "select"})
_KICKOFF = re.compile(
    r"\b[0-9]{1,2}/[0-9]{1,2}/[0-9]{2,4} +[0-9]{1,2}:[0-9]{2} ?[ap]\.?m", re.IGNORECASE
)
_NOTHING = re.compile(
    r"\b(?:no|0) (?:[\w-]+ ){0,3}(?:matches|games|fixtures|results|events|records|data)\b"
    r"|\bnothing (?:is |was )?(?:scheduled|found)\b",
    re.IGNORECASE,
)
_TROUBLE = re.compile(r"\bexpired\b|\blogged out\b|\berror\b|\btry again\b", re.IGNORECASE)


def doubt(html: str) -> str | None:
    """Why a page without a row may have matches all the same; None if it clearly has none.

    It clearly has none if it says so, or if it says nothing at all beside its heading and a
    pagination.
    """
    tree = LexborHTMLParser(html)
    if tree.css_first(_OF_A_ROW):
        return "it shows no rows that are known, but parts of such rows"
    paginated = tree.css_first(".pagination") is not None
    said = clean(" ".join(_texts(tree.body))) if tree.body else ""
    if _KICKOFF.search(said):
        return "it shows no rows that are known, but dates of matches"
    if (_NOTHING.search(said) and not _TROUBLE.search(said)) or (paginated and not said):
        return None
    return (
        "it shows no rows that are known, and does not say that there are no matches;"
        f" it says {said[:_TEXT_MAX]!r}"
    )


def _texts(body: LexborNode) -> Iterator[str]:
    """What people read on a page, without its heading and its pagination. No recursion."""
    left = [body]
    while left:
        node = left.pop()
        if node.is_text_node:
            yield node.text_content or ""
        elif not _is_left_out(node):
            left += reversed(list(node.iter(include_text=True)))


def _is_left_out(node: LexborNode) -> bool:
    known = node.attributes
    return (
        node.tag in _NOT_SAID
        or "data-league" in known
        or "pagination" in (known.get("class") or "").split()
    )
