"""Who holds which role, for which service, from when until when: dated facts that every service keeps a view of."""

from duties.assignments import (
    Assignment,
    Duties,
    Roster,
    held,
    held_within,
    holder,
    holders,
    roles_on,
)
from duties.known import (
    duties_from,
    duties_id,
    duties_of,
    features,
    known_duties,
    role_roster,
    roster_from,
    roster_id,
    roster_of,
)

__all__ = [
    "Assignment",
    "Duties",
    "Roster",
    "duties_from",
    "duties_id",
    "duties_of",
    "features",
    "held",
    "held_within",
    "holder",
    "holders",
    "known_duties",
    "role_roster",
    "roles_on",
    "roster_from",
    "roster_id",
    "roster_of",
]
