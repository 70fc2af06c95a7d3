"""The page of all defects: what each is, what has to see it, and what did when it was tried last.

`make docs` writes docs/reference/sabotage.md from the table and from the results that
`make sabotage` has left.
"""

from __future__ import annotations

from collections.abc import Mapping

from lab.paths import PROJECT
from lab.sabotage import result
from lab.sabotage.defect import Defect, Patch
from lab.sabotage.defects import DEFECTS
from lab.sabotage.judging import Word, said
from lab.sabotage.result import Results, Tried

PAGE = PROJECT / "docs" / "reference" / "sabotage.md"
_HEAD = """\
# Sabotage

Would the lab notice? Each of these defects is planted in the system, a scene is played, and the
audit has to say what is broken: just the law or the check of its row has to be red (with what
follows from it), and all others valid. The same scene without the defect has to be valid. A run
that crashes, is not over in time, or leaves anything unknown has not caught anything.

`make sabotage` tries all of them, `make sabotage ONLY="early-ack no-gate"` some. One can be planted
in a hunt, too: `.venv/bin/lab hunt --sabotage early-ack`.

Written by `make docs` from `lab/sabotage/table/` and the last results: change it there.
"""


def page() -> str:
    """The page, as Markdown."""
    return render(DEFECTS, result.read())


def render(defects: Mapping[str, Defect], results: Results) -> str:
    """The page for these defects and results."""
    tried = [results.defects[name] for name in defects if name in results.defects]
    good = sum(results.is_good(name, each) for name, each in defects.items())
    lines = [_HEAD]
    if tried:
        days = sorted({each.on for each in tried})
        when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
        lines.append(
            f"{len(defects)} defects, {len({each.scene.name for each in defects.values()})} scenes."
            f" When they were tried last ({when}), {good} of {len(tried)} were caught and rightly"
            " named, with a scene that is valid without them."
        )
        lines.append("")
    lines += [
        "| defect | what the system then does | planted by | scene | has to be red | was red | s |",
        "|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, each, results) for name, each in defects.items()]
    return "\n".join(lines) + "\n"


def _row(name: str, defect: Defect, results: Results) -> str:
    tried = results.defects.get(name)
    cells = (
        f"`{name}`",
        defect.summary,
        planted(defect.patch),
        defect.scene.name,
        said(defect.red),
        "not tried yet" if tried is None else _seen(tried, results.valid_without(defect)),
        "" if tried is None else f"{tried.seconds:.0f}",
    )
    return f"| {' | '.join(cells)} |"


def _seen(tried: Tried, valid_without: bool | None) -> str:
    doubt = {None: "its scene was not tried", False: "its scene is not valid", True: ""}
    words = [said(tried.red) or tried.why, doubt[valid_without]]
    if tried.word != Word.CAUGHT:
        words.insert(0, f"**{tried.word}**")
    return "; ".join(filter(None, words)).replace("|", "/")


def planted(patch: Patch) -> str:
    """How a defect is planted, in a few words."""
    modules = [*patch.wrapper.values(), *filter(None, [patch.scraper])]
    short = [f"`{module.rpartition('.')[2]}`" for module in modules]
    return ", ".join(short) if short else "a change to the broker"
