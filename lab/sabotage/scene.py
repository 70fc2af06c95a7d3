"""A scene: what is done to a lab, so that a defect shows itself. Without one, it ends valid."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.experiment.lab import Lab
from lab.substrates.plan import Role

FOLDER = "{folder}"
"""In a setting: the folder of files that a scene leaves for the roles."""

Act = Callable[[Lab], None]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a scene starts. Those of one setup are played one after the other in one lab.

    Attributes:
        name: in words.
        plan: arguments of `lab.experiment.plugin.running`.
    """

    name: str
    plan: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Scene:
    """What is done to a lab.

    Attributes:
        name: in words: what happens.
        act: does it; can be done again in the same lab.
    """

    name: str
    act: Act
    setup: Setup


_scenes: dict[str, Scene] = {}


def scene(setup: Setup) -> Callable[[Act], Scene]:
    """Make a scene of a function; its name is the function's, in words."""

    def make(act: Act) -> Scene:
        made = Scene(act.__name__.replace("_", " ").strip(), act, setup)
        _scenes[made.name] = made
        return made

    return make


def defined() -> dict[str, Scene]:
    """Every scene that was imported, by name, in their order."""
    return dict(_scenes)


def placed(plan: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    """A plan whose settings name this folder where they say FOLDER."""
    settings: Mapping[Role, Mapping[str, str]] = plan.get("settings", {})
    return {
        **plan,
        "settings": {
            role: {name: value.replace(FOLDER, str(folder)) for name, value in given.items()}
            for role, given in settings.items()
        },
    }
