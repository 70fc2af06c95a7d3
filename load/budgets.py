"""Budgets: what a load may cost, as data, and whether it kept them. Pure but for the file."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, NamedTuple

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from lab.checker.verdict import Verdict, worst
from lab.errors import CannotRun

FILE = Path(__file__).with_name("budgets.yaml")
REQUESTS = "requests"

_Limit = Annotated[float, Field(gt=0)]


class Budget(BaseModel):
    """The limits of one load; those that are left out do not count.

    Attributes:
        success_ratio_min: accepted valid messages that took effect, over all of them.
        confirm_p95_ms, confirm_p99_ms: from due to confirmed, or to answered by the HTTP way.
        commit_mean_ms, commit_p95_ms, commit_p99_ms: from due to committed.
        depth_max: messages waiting in the queue.
        drain_s: from the last message that was due to the last effect.
        follows_factor_min: by which throughput changes when the workers do; see `measured.follows`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    success_ratio_min: Annotated[float, Field(ge=0, le=1)]
    confirm_p95_ms: _Limit | None = None
    confirm_p99_ms: _Limit | None = None
    commit_mean_ms: _Limit | None = None
    commit_p95_ms: _Limit | None = None
    commit_p99_ms: _Limit | None = None
    depth_max: _Limit | None = None
    drain_s: _Limit | None = None
    follows_factor_min: _Limit | None = None


class Line(NamedTuple):
    """One budget, and what was measured; `met` is None if nothing was."""

    name: str
    value: float | None
    limit: float
    met: bool | None


def load(path: Path = FILE) -> dict[str, Budget]:
    """The budgets of every load.

    Raises:
        CannotRun: the file cannot be read, or says something that is no budget.
    """
    try:
        read = yaml.safe_load(path.read_text("utf-8"))
        return TypeAdapter(dict[str, Budget]).validate_python(read)
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise CannotRun(f"{path}: {error}") from error


def evaluate(budget: Budget, measured: Mapping[str, float | None]) -> list[Line]:
    """Compare what was measured, by the names of the budget without `_min`, with its limits.

    The first line is the number of requests, which must not be 0: without one, nothing was shown.
    """
    count = measured.get(REQUESTS) or 0
    lines = [Line(REQUESTS, count, 1, count >= 1)]
    for name, limit in budget.model_dump(exclude_none=True).items():
        least = name.endswith("_min")
        value = measured.get(name.removesuffix("_min"))
        met = None if value is None else value >= limit if least else value <= limit
        lines.append(Line(name, value, limit, met))
    return lines


def verdict(lines: list[Line]) -> Verdict:
    """Invalid if one is exceeded, unknown if one was not measured."""
    signs = {True: Verdict.VALID, False: Verdict.INVALID, None: Verdict.UNKNOWN}
    return worst(signs[line.met] for line in lines)


def exit_code(budgets: Verdict, audit: Verdict) -> int:
    """The worse of both: 0 good, 1 not, 2 not known."""
    return worst([budgets, audit]).exit_code
