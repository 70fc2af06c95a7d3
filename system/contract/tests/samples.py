"""Matches for tests: as this system's scraper sends them, and as the senders of today do."""

from __future__ import annotations

from typing import Any

OURS: dict[str, Any] = {
    "home_team": "NEFC",
    "away_team": "Seacoast United",
    "match_date": "2025-10-18",
    "match_time": "10:00",
    "season": "2025-26",
    "age_group": "U14",
    "match_type": "League",
    "division": "Northeast",
    "league": "Homegrown",
    "home_score": 2,
    "away_score": 1,
    "match_status": "completed",
    "external_match_id": "101201",
    "location": "Progin Park - Field 10",
    "source": "match-scraper",
    "observed_at": "2025-10-19T18:00:00+00:00",
}

TODAY: dict[str, Any] = {
    "home_team": "IFA HG",
    "away_team": "Ironbound Soccer Club",
    "match_date": "2025-11-01",
    "season": "2024-25",
    "age_group": "U13",
    "match_type": "League",
    "division": "Northeast",
    "division_id": 41,
    "league": "Homegrown",
    "home_score": None,
    "away_score": None,
    "match_status": "scheduled",
    "external_match_id": "100436",
    "match_time": None,
    "location": None,
    "notes": None,
    "source": "match-scraper",
}
"""The live field set: no `observed_at`, but `division_id`, `league` and `source`."""
