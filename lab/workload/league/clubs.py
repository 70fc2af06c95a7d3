"""Clubs and the divisions they play in: names are facts, nothing else here is.

Names are written as they are stored; `OFFICIAL_NAMES` says which of them the site sometimes prints
in full. Rosters begin with the clubs that a small season should hold, because a group of n teams
takes the first n.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

AGE_GROUPS = ("U13", "U14", "U15", "U16", "U17", "U19")
LEAGUES = ("Homegrown", "Academy")
"""In the order in which the site lists them."""

OFFICIAL_NAMES = {
    "IFA": "Intercontinental Football Academy of New England",
    "Los Angeles SC": "Los Angeles Soccer Club",
}
"""Stored name → the long name that the site prints now and then."""

# In a division "(Pro Player Pathway)" the strongest clubs play among themselves.
_HOMEGROWN: dict[str, tuple[str, ...]] = {
    "Northeast": (
        "IFA", "NEFC", "Seacoast United", "Bayside FC", "Valeo Futbol Club", "New York City FC",
        "Oakwood Soccer Club", "Ironbound Soccer Club", "New York Red Bulls",
        "New England Revolution", "FC Greater Boston Bolts", "Beachside of Connecticut",
        "Blau Weiss Gottschee", "Cedar Stars Academy Bergen", "Cedar Stars Academy Monmouth",
        "FC Westchester", "FA Euro New York", "Metropolitan Oval", "New York Soccer Club",
        "Rochester NY FC", "TSF Academy", "Western United Pioneers FC",
    ),
    "Southwest": (
        "Los Angeles SC", "LA Galaxy", "Los Angeles Football Club", "San Diego FC", "City SC",
        "Nomads SC", "Strikers FC", "Pateadores", "Total Futbol Academy", "FC Golden State",
        "Ventura County Fusion", "Santa Barbara Soccer Club", "Real So Cal", "San Diego Surf",
        "Phoenix Rising FC", "RSL Arizona", "Las Vegas Sports Academy", "Chula Vista FC",
    ),
    "Northeast (Pro Player Pathway)": (
        "New York Red Bulls", "New England Revolution", "New York City FC", "Philadelphia Union",
        "CF Montréal", "Toronto FC", "Columbus Crew", "FC Cincinnati",
    ),
    "Florida": (
        "Weston FC", "IMG", "Inter Miami CF", "Tampa Bay United", "Orlando City SC",
        "Jacksonville FC", "South Florida Football Academy", "Miami Rush Kendall SC",
        "Chargers Soccer Club", "West Florida Flames", "Sporting JAX", "Florida Kraze Krush",
        "Doral Soccer Club", "Athletum FC", "Palm Beach United", "Florida Rush",
    ),
    "Frontier": (
        "IDEA Toros Fútbol Academy", "Tulsa Greenwood SC", "FC Dallas", "Houston Dynamo FC",
        "Austin FC", "Dallas Texans", "Solar SC", "Houston Rangers", "RISE SC", "Real Colorado",
        "Colorado Rapids", "Colorado Rush", "Lonestar SC", "Albion Hurricanes FC", "Sporting OK",
        "Global Football Innovation Academy",
    ),
    "Mid-America": (
        "Chicago Fire FC", "Shattuck-St. Mary's", "Minnesota United FC", "Columbus Crew",
        "FC Cincinnati", "St. Louis CITY SC", "Sporting Kansas City", "Sockers FC",
        "Chicago FC United", "Michigan Wolves", "Michigan Jaguars", "Vardar Soccer Club",
        "Midwest United FC", "Bavarian United SC", "Lou Fusz Athletic", "Indiana Fire Academy",
    ),
    "Mid-Atlantic": (
        "Philadelphia Union", "D.C. United", "Baltimore Armour", "Bethesda SC", "Achilles FC",
        "Alexandria SC", "Arlington Soccer", "FC Delco", "PA Classics", "Springfield SYC Soccer",
        "The St. James FC Virginia", "Players Development Academy", "Real Futbol Academy",
        "Penn Fusion Soccer Academy", "The Football Academy", "Loudoun Soccer",
    ),
    "Northwest": (
        "Seattle Sounders FC", "Portland Timbers", "Vancouver Whitecaps FC",
        "San Jose Earthquakes", "Real Salt Lake", "Sacramento Republic FC", "Crossfire Premier",
        "San Francisco Glens", "De Anza Force", "Ballistic United", "Breakers FC",
        "Santa Clara Sporting", "Silicon Valley Soccer Academy", "La Roca FC", "Marin FC",
        "Oakland Roots",
    ),
    "Southeast": (
        "Atlanta United", "Charlotte FC", "Nashville SC", "Concorde Fire",
        "Southern Soccer Academy", "Inter Atlanta FC", "AFC Lightning", "Carolina Core FC",
        "Carolina Velocity", "Queen City Mutiny", "South Carolina Surf", "Triangle United Soccer",
        "Charlotte Independence", "Kalonji Soccer Academy", "Wake FC", "Tormenta FC",
    ),
    "Southwest (Pro Player Pathway)": (
        "LA Galaxy", "Los Angeles Football Club", "San Diego FC", "San Jose Earthquakes",
        "Real Salt Lake", "Phoenix Rising FC", "Barça Residency Academy", "Sacramento Republic FC",
    ),
    "Southeast (Pro Player Pathway)": (
        "Atlanta United", "Charlotte FC", "Nashville SC", "Inter Miami CF", "Orlando City SC",
        "D.C. United",
    ),
    "Mid-America (Pro Player Pathway)": (
        "Chicago Fire FC", "Minnesota United FC", "St. Louis CITY SC", "Sporting Kansas City",
        "FC Dallas", "Houston Dynamo FC", "Austin FC", "Colorado Rapids",
    ),
}  # fmt: skip

# In the Academy league a conference takes the place of a division. Many clubs have teams in both
# leagues, under one name.
_ACADEMY: dict[str, tuple[str, ...]] = {
    "New England": (
        "IFA", "NEFC", "Seacoast United", "Valeo Futbol Club", "Bayside FC",
        "FC Greater Boston Bolts", "Western United Pioneers FC", "Beachside of Connecticut",
        "Oakwood Soccer Club", "AC Connecticut", "Black Rock FC", "Vale Sports Club",
        "GPS Massachusetts", "South Shore Select", "Juventus Academy Boston", "Rhode Island Surf",
    ),
    "East": (
        "Ironbound Soccer Club", "Metropolitan Oval", "FA Euro New York", "FC Westchester",
        "Cedar Stars Academy Bergen", "Blau Weiss Gottschee", "TSF Academy",
        "Players Development Academy", "New York Soccer Club", "Rochester NY FC",
        "Downtown United Soccer Club", "Long Island Soccer Club", "STA", "PA Classics",
        "FC Delco", "Penn Fusion Soccer Academy",
    ),
    "Florida": _HOMEGROWN["Florida"],
    "Central": (*_HOMEGROWN["Mid-America"][1:], "Javanon FC", "Kings Hammer FC"),
    "Frontier": _HOMEGROWN["Frontier"],
    "Mid-Atlantic": _HOMEGROWN["Mid-Atlantic"],
    "Southeast": _HOMEGROWN["Southeast"],
    "Southwest": _HOMEGROWN["Southwest"],
}  # fmt: skip

DIVISIONS: Mapping[str, Mapping[str, tuple[str, ...]]] = {
    "Homegrown": _HOMEGROWN,
    "Academy": _ACADEMY,
}
"""League → division → its clubs."""


@dataclass(frozen=True, slots=True)
class ClubGroup:
    """Teams of one age that play each other: a league table."""

    league: str
    age_group: str
    division: str
    clubs: tuple[str, ...]


def groups() -> list[ClubGroup]:
    """Every group, in such an order that a few of them already cover all leagues and ages.

    Each wave takes one division of every league for every age, a different one for each.
    """
    waves = max(len(divisions) for divisions in DIVISIONS.values())
    order = []
    for wave in range(waves):
        for turn, age_group in enumerate(AGE_GROUPS):
            for league in LEAGUES:
                names = list(DIVISIONS[league])
                if wave < len(names):
                    name = names[(wave + turn) % len(names)]
                    order.append(ClubGroup(league, age_group, name, DIVISIONS[league][name]))
    return order
