"""A defect: how it is planted, which scene shows it, and what has to be red then."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from lab.experiment.lab import Lab
from lab.sabotage.scene import Scene
from lab.substrates.plan import Role

Red = int | str
"""A law by its number; a check or an objective by its name."""

_WEAKENED = "system.tests.weakened"
WHICH = "WEAKENED"
"""The variable that tells a weakened module which of its defects to have."""


@dataclass(frozen=True, slots=True)
class Patch:
    """How a defect is planted: a module in place of a role's own, settings, or a change by hand.

    Attributes:
        wrapper: by role; see `Plan.wrapper`.
        settings: by role; see `Plan.settings`.
        scraper: the module in place of the scraper.
        scraper_settings: of the scraper.
        by_hand: what an operator could have done to the running system.
    """

    wrapper: Mapping[Role, str] = field(default_factory=dict)
    settings: Mapping[Role, Mapping[str, str]] = field(default_factory=dict)
    scraper: str | None = None
    scraper_settings: Mapping[str, str] = field(default_factory=dict)
    by_hand: Callable[[Lab], None] | None = None

    @property
    def plan(self) -> dict[str, Any]:
        """What of it is in the plan of a lab."""
        return {"wrapper": dict(self.wrapper), "settings": dict(self.settings)}

    def on(self, plan: Mapping[str, Any]) -> dict[str, Any]:
        """A plan with this defect; where both say something of a role, the defect does."""
        settings = {role: dict(given) for role, given in plan.get("settings", {}).items()}
        for role, given in self.settings.items():
            settings[role] = {**settings.get(role, {}), **given}
        wrapper = {**plan.get("wrapper", {}), **self.wrapper}
        return {**plan, "settings": settings, "wrapper": wrapper}

    def plant(self, lab: Lab) -> None:
        """Plant what is not in the plan."""
        lab.scraper = replace(
            lab.scraper,
            wrapper=self.scraper or lab.scraper.wrapper,
            settings={**lab.scraper.settings, **self.scraper_settings},
        )
        if self.by_hand is not None:
            self.by_hand(lab)


@dataclass(frozen=True, slots=True)
class Defect:
    """One row of the table.

    Attributes:
        summary: what the system then does.
        patch: how it is planted.
        scene: what shows it.
        red: all that has to be red.
        may: what may be red as well: a matter of moments.
    """

    summary: str
    patch: Patch
    scene: Scene
    red: tuple[Red, ...]
    may: frozenset[Red] = frozenset()

    @property
    def laws(self) -> tuple[int, ...]:
        """The laws that it breaks."""
        return tuple(each for each in self.red if isinstance(each, int))


def worker(module: str, which: str | None = None, **settings: str) -> Patch:
    """A weakened module in place of the worker's own."""
    return _role(Role.WORKER, module, which, settings)


def backend(module: str, which: str | None = None, **settings: str) -> Patch:
    """A weakened module in place of the backend's own."""
    return _role(Role.API, module, which, settings)


def scraper(module: str, which: str | None = None) -> Patch:
    """A weakened module in place of the scraper's own."""
    settings = {} if which is None else {WHICH: which}
    return Patch(scraper=f"{_WEAKENED}.{module}", scraper_settings=settings)


def by_hand(change: Callable[[Lab], None]) -> Patch:
    """A change to the running system."""
    return Patch(by_hand=change)


def _role(role: Role, module: str, which: str | None, settings: Mapping[str, str]) -> Patch:
    given = dict(settings) if which is None else {WHICH: which, **settings}
    return Patch(wrapper={role: f"{_WEAKENED}.{module}"}, settings={role: given} if given else {})
