"""Runs the examples of a page as a reader would type them, so that the page stays true.

A fenced block is an example if its info string says `runnable`:

    ```console runnable          lines after `$ ` are typed; the others are what one sees then
    ```console runnable again    the same, typed again each second until it is seen
    ```python runnable           a program, run from its first line to its last

In what one sees, `…` stands for anything.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lab.errors import LabError, NotWithin
from lab.wait import eventually

STEP_WITHIN_S = 400.0
AGAIN_WITHIN_S = 180.0
_FENCE = re.compile(r"^```(\w+) runnable( again)?\n(.*?)^```$", re.MULTILINE | re.DOTALL)


class PageWrong(LabError):  # noqa: N818
    """An example of a page does not do what the page says. Names page, line and what was seen."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to type.

    Attributes:
        line: of the page, from 1.
        argv: what is run.
        seen: patterns of lines, in order, that must be among what is seen.
        again: typed until it is seen.
    """

    line: int
    argv: tuple[str, ...]
    seen: tuple[str, ...] = ()
    again: bool = False


def steps(page: str) -> list[Step]:
    """The examples of a page, in order. Pure."""
    found: list[Step] = []
    for block in _FENCE.finditer(page):
        language, again, body = block.group(1), bool(block.group(2)), block.group(3)
        first = page.count("\n", 0, block.start()) + 2
        if language == "python":
            found.append(Step(first, (sys.executable, "-c", body)))
            continue
        for offset, line in enumerate(body.splitlines()):
            if line.startswith("$ "):
                found.append(Step(first + offset, ("bash", "-c", line[2:]), (), again))
            elif line.strip() and found:
                last = found[-1]
                found[-1] = Step(last.line, last.argv, (*last.seen, _pattern(line)), again)
    return found


def run(page: Path, folder: Path, environment: Mapping[str, str]) -> int:
    """Run every example of a page in `folder`; return how many there were.

    Raises:
        PageWrong: one failed, or showed something else.
    """
    listed = steps(page.read_text("utf-8"))
    for step in listed:
        try:
            if step.again:
                eventually(
                    "the page's words",
                    _look(step, folder, environment),
                    within_s=AGAIN_WITHIN_S,
                    every_s=1,
                    tolerate=(PageWrong,),
                )
            else:
                _look(step, folder, environment)()
        except (PageWrong, NotWithin) as error:
            raise PageWrong(f"{page.name}, line {step.line}: {error}") from None
    return len(listed)


def _look(step: Step, folder: Path, environment: Mapping[str, str]) -> Callable[[], bool]:
    def look() -> bool:
        done = subprocess.run(
            step.argv,
            cwd=folder,
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=STEP_WITHIN_S,
            check=False,
        )
        if done.returncode != 0:
            raise PageWrong(f"{step.argv[-1]!r} ended with {done.returncode}: {done.stdout}")
        wanted = ".*?".join(step.seen)
        if not re.search(wanted, done.stdout, re.DOTALL):
            raise PageWrong(f"{step.argv[-1]!r} showed {done.stdout!r}, which has no {step.seen}")
        return True

    return look


def _pattern(line: str) -> str:
    """A line as a regular expression: `…` is anything, and blanks may be more or fewer."""
    parts = (r"\s+".join(map(re.escape, part.split())) for part in line.split("…"))
    return r"[^\n]*".join(parts)
