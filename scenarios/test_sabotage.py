"""Would the lab notice? Each defect is planted, and the audit has to name what it breaks.

A check that was never seen to fail proves nothing, and neither does one that is always red. So each
scene is played twice: on the system as it is, where all has to be valid, and with one defect, where
just the law or the check that is about it has to be red. The table is `lab.sabotage.defects`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from lab.experiment.lab import Lab
from lab.experiment.plugin import Evidence, Labs, OpenLab, staged
from lab.sabotage import trial
from lab.sabotage.defects import DEFECTS
from lab.sabotage.judging import Word
from lab.sabotage.result import DEFECT, TWIN
from lab.sabotage.scene import Scene, Setup, defined
from lab.wait import stopwatch

pytestmark = [pytest.mark.services, pytest.mark.slow]

QUICK = (
    "no-gate",
    "no-receipt",
    "no-receipt-lost-connection",
    "no-receipt-forked-retry",
    "needed-results",
    "last-wins",
    "lesser-id-wins",
    "mute-dead-letters",
    "first-page-only",
    "numbers-unread",
)
"""Defects that `make test` plants; `make test-controls` plants the others."""
USUAL = [DEFECTS[name].scene for name in QUICK]
"""Scenes that `make test` plays without a defect; `make test-faults` plays the others."""


SCENES = sorted(defined().values(), key=lambda each: each.setup.name)
WITHOUT = [
    pytest.param(scene, id=scene.name, marks=[] if scene in USUAL else [pytest.mark.faults])
    for scene in SCENES
]
WITH = [
    pytest.param(name, marks=[] if name in QUICK else [pytest.mark.controls]) for name in DEFECTS
]

Opened = Callable[[Setup], Labs]


class _Kept:
    """The lab of the scenes of one setup, which are played one after the other in it."""

    def __init__(self) -> None:
        self._setup: Setup | None = None
        self._labs: Labs | None = None

    def lent(self, setup: Setup, opened: Opened) -> AbstractContextManager[Lab]:
        """A lab of this setup for a block: the one that is up, if there is one."""
        if self._labs is None or setup is not self._setup:
            self.close()
            self._setup, self._labs = setup, opened(setup)
        return self._labs.lent()

    def close(self) -> None:
        """End it: no two labs are up at once."""
        if self._labs is not None:
            self._labs.close()
        self._labs = None


_kept = _Kept()


@pytest.fixture(scope="module")
def opened(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Opened]:
    """Opens labs without a defect."""

    def labs(setup: Setup) -> Labs:
        plan = trial.plan(setup, tmp_path_factory.mktemp("files"))
        return Labs(lambda: staged(request, tmp_path_factory, plan))

    yield labs
    _kept.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("scene", WITHOUT)
def test_without_a_defect_every_law_and_every_check_holds(
    scene: Scene, opened: Opened, evidence: Evidence
) -> None:
    """Valid, whatever happens."""
    with _kept.lent(scene.setup, opened) as lab, stopwatch() as seconds:
        wrong = trial.twin(lab, scene)
        evidence(TWIN, {"scene": scene.name, "wrong": wrong, "seconds": round(seconds(), 1)})
        assert wrong == ""


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", WITH)
def test_a_planted_defect_is_caught_and_rightly_named(
    name: str, open_lab: OpenLab, tmp_path: Path, evidence: Evidence
) -> None:
    """Invalid, for the right reason, and for no other."""
    _kept.close()
    defect = DEFECTS[name]
    lab = open_lab(**trial.plan(defect.scene.setup, tmp_path, defect))
    with stopwatch() as seconds:
        found = trial.tried(lab, defect)
    evidence(
        DEFECT,
        {
            "defect": name,
            "word": found.word,
            "red": list(found.red),
            "why": found.why,
            "seconds": round(seconds(), 1),
        },
    )
    assert found.word is Word.CAUGHT, found.why


def test_a_scene_that_shows_a_defect_is_played_without_one() -> None:
    """A defect whose scene was never seen valid shows nothing."""
    assert {each.name for each in SCENES} == {each.scene.name for each in DEFECTS.values()}
