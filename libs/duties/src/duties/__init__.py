"""Who holds which role, for which service, from when until when: dated facts that every service keeps a view of."""

from duties.assignments import (
    Assignment,
    Duties,
    Roster,
    held,
    held_within,
    holder,
    holders,
)
from duties.known import (
    duties_id,
    duties_of,
    known_duties,
    role_roster,
    roster_id,
)

__all__ = [
    "Assignment",
    "Duties",
    "Roster",
    "duties_id",
    "duties_of",
    "held",
    "held_within",
    "holder",
    "holders",
    "known_duties",
    "role_roster",
    "roster_id",
]
