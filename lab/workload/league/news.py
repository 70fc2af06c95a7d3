"""What changed between two versions of a match, in words. Pure."""

from __future__ import annotations

from lab.workload.league.timeline import Ruling, Version


def changes(before: Version, after: Version) -> str:
    """Describe what is different in `after`: "moved from … to …; teams swapped; result 2:1"."""
    parts = []
    if (before.day, before.at) != (after.day, after.at):
        if before.day == after.day and before.at is None:
            parts.append(f"kickoff set to {_when(after)}")
        else:
            parts.append(f"moved from {_when(before)} to {_when(after)}")
    if before.venue != after.venue:
        parts.append(f"venue now {after.venue or 'open'}")
    if before.home != after.home:
        parts.append("home and away swapped")
    if before.call is not after.call:
        parts.append(after.call.value or f"no longer {before.call}")
    if after.home_score is not None and after.call is not Ruling.FORFEIT:
        parts.append(_score(before, after))
    return "; ".join(parts)


def _when(version: Version) -> str:
    return f"{version.day} {version.at:%H:%M}" if version.at else f"{version.day} (time open)"


def _score(before: Version, after: Version) -> str:
    score = f"{after.home_score}:{after.away_score}"
    if before.home_score is None:
        return f"result {score}"
    return f"result corrected from {before.home_score}:{before.away_score} to {score}"
