"""The same on Kubernetes: a season, and the phases whose claims hold wherever they are shown.

They are run as a user does it, on the cluster whose context is named; `lab phase` says what is not
asked, since Kubernetes lacks an ability.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from scenarios.support.typed import ends_well, season_is_valid

pytestmark = [pytest.mark.kubernetes, pytest.mark.timeout(3600)]

WITHIN_S = 3500


def test_a_season_on_a_cluster_is_valid(tmp_path: Path) -> None:
    """A season goes through the system on a cluster, and the lab accounts for every message."""
    season_is_valid(tmp_path, "kubernetes", WITHIN_S)


@pytest.mark.parametrize("phase", [1, 3, 4])
def test_the_claims_of_a_phase_hold_on_a_cluster(phase: int, tmp_path: Path) -> None:
    """The claims of the phases 1, 3 and 4 hold on a cluster, where they can be asked."""
    ends_well(tmp_path, "kubernetes", WITHIN_S, "phase", str(phase))
