"""The same on Docker: a season, and the phases whose claims do not depend on where they are shown.

They are run as a user does it; `lab phase` says what is not asked, since Docker lacks an ability.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.support.typed import ends_well, season_is_valid

pytestmark = [pytest.mark.docker, pytest.mark.timeout(1800)]

WITHIN_S = 1700


def test_a_season_in_containers_is_valid(tmp_path: Path) -> None:
    """A season goes through the system in containers, and the lab accounts for every message."""
    season_is_valid(tmp_path, "docker", WITHIN_S)


@pytest.mark.parametrize("phase", [1, 3, 4])
def test_the_claims_of_a_phase_hold_in_containers(phase: int, tmp_path: Path) -> None:
    """The claims of the phases 1, 3 and 4 hold in containers, where they can be asked."""
    ends_well(tmp_path, "docker", WITHIN_S, "phase", str(phase))
