"""Service level objectives, read from OpenSLO v1 and checked: `lab/slo/slo.yaml`.

Only the part of OpenSLO that is used here: what this lab does not support is refused, never
ignored.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Generic, Literal, NamedTuple, Self, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from lab.clients.prometheus.promql import seconds, selectors
from lab.errors import CannotRun

FILE = Path(__file__).with_name("slo.yaml")
BYTES_MAX = 100_000
OBJECTIVES_MAX = 20

_Name = Annotated[str, Field(pattern=r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$")]
_Text = Annotated[str, Field(min_length=1, max_length=1050)]


def _only_a_selector(counter: str) -> str:
    found = selectors(counter)
    if [(selector.text, selector.range_s) for selector in found] != [(counter, 0.0)]:
        raise ValueError(f"{counter!r} must be one selector, without range, function or spaces")
    return counter


def _a_duration(text: str) -> str:
    seconds(text)
    return text


_Counter = Annotated[str, Field(max_length=500), AfterValidator(_only_a_selector)]
_Counters = Annotated[list[_Counter], Field(min_length=1, max_length=9)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Counters(_Strict):
    """Counters whose increases are added up, as selectors in PromQL."""

    counters: _Counters


class Mean(_Strict):
    """A sum of values and a number of events, as selectors in PromQL."""

    sum: _Counters
    count: _Counters


_Measured = TypeVar("_Measured", Counters, Mean)


class Source(_Strict, Generic[_Measured]):
    """Where something is measured."""

    type: Literal["Prometheus"]
    spec: _Measured


class Metric(_Strict, Generic[_Measured]):
    """One side of a ratio, or a mean."""

    metricSource: Source[_Measured]  # noqa: N815 - the format's own name


class RatioMetric(_Strict):
    """Good or bad events over all of them. Either good or bad is given, never both."""

    counter: Literal[True]
    good: Metric[Counters] | None = None
    bad: Metric[Counters] | None = None
    total: Metric[Counters]

    @model_validator(mode="after")
    def _has_one(self) -> Self:
        if (self.good is None) == (self.bad is None):
            raise ValueError("a ratioMetric has its total and one of good and bad")
        return self


class IndicatorSpec(_Strict):
    """What is measured."""

    ratioMetric: RatioMetric | None = None  # noqa: N815 - the format's own name
    thresholdMetric: Metric[Mean] | None = None  # noqa: N815 - the format's own name

    @model_validator(mode="after")
    def _is_one(self) -> Self:
        if (self.ratioMetric is None) == (self.thresholdMetric is None):
            raise ValueError("an indicator is a ratioMetric or a thresholdMetric")
        return self


class Metadata(_Strict):
    """The name of a document or indicator."""

    name: _Name
    displayName: _Text | None = None  # noqa: N815 - the format's own name


class Indicator(_Strict):
    """A service level indicator, defined inside its objective."""

    metadata: Metadata
    spec: IndicatorSpec


class RollingWindow(_Strict):
    """The rolling window of the objective."""

    duration: Annotated[str, AfterValidator(_a_duration)]
    isRolling: Literal[True]  # noqa: N815 - the format's own name


class Goal(_Strict):
    """The goal: a share of good events, or a bound for the measured value."""

    displayName: _Text  # noqa: N815 - the format's own name
    target: Annotated[float, Field(gt=0, lt=1)]
    op: Literal["lt"] | None = None
    value: Annotated[float, Field(gt=0)] | None = None


class Spec(_Strict):
    """The content of an objective."""

    description: _Text
    service: _Name
    indicator: Indicator
    timeWindow: Annotated[list[RollingWindow], Field(min_length=1, max_length=1)]  # noqa: N815
    budgetingMethod: Literal["Occurrences"]  # noqa: N815 - the format's own name
    objectives: Annotated[list[Goal], Field(min_length=1, max_length=1)]

    @model_validator(mode="after")
    def _goal_fits_the_indicator(self) -> Self:
        goal = self.objectives[0]
        bounded = goal.op is not None and goal.value is not None
        if bounded != (self.indicator.spec.thresholdMetric is not None):
            raise ValueError("op and value belong to the objective of a thresholdMetric, both")
        return self


class Ratio(NamedTuple):
    """The counters of a ratio: of good events or of bad ones (the other is empty), and of all."""

    good: list[str]
    bad: list[str]
    total: list[str]


class Slo(_Strict):
    """One document of the file: a service level objective."""

    apiVersion: Literal["openslo/v1"]  # noqa: N815 - the format's own name
    kind: Literal["SLO"]
    metadata: Metadata
    spec: Spec

    @property
    def name(self) -> str:
        """Its name in labels, tables and alerts."""
        return self.metadata.name

    @property
    def goal(self) -> Goal:
        """Its one objective."""
        return self.spec.objectives[0]

    @property
    def bound(self) -> float:
        """What its mean must stay below, in seconds.

        Raises:
            ValueError: it has no mean.
        """
        if self.goal.value is None:
            raise ValueError(f"the objective {self.name} has no bound")
        return self.goal.value

    @property
    def ratio(self) -> Ratio | None:
        """Its ratio of events; None if it has a mean."""
        metric = self.spec.indicator.spec.ratioMetric
        if metric is None:
            return None
        sides = (metric.good, metric.bad, metric.total)
        return Ratio(*(side.metricSource.spec.counters if side else [] for side in sides))

    @property
    def mean(self) -> Mean | None:
        """Its mean; None if it has a ratio."""
        metric = self.spec.indicator.spec.thresholdMetric
        return metric.metricSource.spec if metric else None


def load(path: Path = FILE) -> list[Slo]:
    """Read the objectives, in the order of the file.

    Raises:
        CannotRun: the file cannot be read or is too large, a document is not in the part of
            OpenSLO that is understood, or a name is used twice. The text says where and what.
    """
    try:
        if path.stat().st_size > BYTES_MAX:
            raise CannotRun(f"{path} is larger than {BYTES_MAX} bytes; it should hold objectives")
        documents: list[Any] = list(yaml.safe_load_all(path.read_text("utf-8")))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise CannotRun(f"the objectives in {path} cannot be read: {error}") from error
    found = [_checked(path, number, each) for number, each in enumerate(documents, start=1)]
    names = [slo.name for slo in found]
    if not 0 < len(names) <= OBJECTIVES_MAX or len(set(names)) < len(names):
        raise CannotRun(
            f"{path} must hold 1 to {OBJECTIVES_MAX} objectives with names of their own, "
            f"not {names}"
        )
    return found


def _checked(path: Path, number: int, document: Any) -> Slo:
    try:
        return Slo.model_validate(document)
    except ValidationError as error:
        complaints = "; ".join(
            f"{'.'.join(map(str, problem['loc'])) or 'document'}: {problem['msg']}"
            for problem in error.errors()[:5]
        )
        raise CannotRun(f"document {number} of {path} is no objective: {complaints}") from error
