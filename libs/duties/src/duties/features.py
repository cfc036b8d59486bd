"""Both views as features of a service."""

from chassis.routes import Feature, Listing, Routes
from duties.known import known_duties, role_roster
from duties.react import HEARD, react_by_person, react_by_role

features = (
    Feature(
        aggregate=known_duties,
        routes=Routes(
            aggregate=known_duties,
            path="known-duties",
            noun="known duty",
            read="duty.read",
            listing=Listing(filters=("person",)),
        ),
        hears=HEARD,
        react=react_by_person,
    ),
    Feature(
        aggregate=role_roster,
        routes=Routes(
            aggregate=role_roster,
            path="role-rosters",
            noun="role roster",
            read="duty.read",
            listing=Listing(filters=("role",)),
        ),
        hears=HEARD,
        react=react_by_role,
    ),
)
"""Both views, for the `main.py` of a service that acts on duties; readers need the permission `duty.read`."""
