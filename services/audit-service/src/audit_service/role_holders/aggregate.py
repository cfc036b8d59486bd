"""Role holders: one stream per person."""

from typing import get_args
from uuid import UUID

from audit_service.role_holders.announce import announce
from audit_service.role_holders.domain import Command, Event, decide, evolve
from duties.assignments import Duties
from events.kernel import Aggregate, AllWhere, derived_id

role_holders = Aggregate[Duties, Command, Event](
    kind="role-holder",
    initial=Duties(),
    decide=decide,
    evolve=evolve,
    events=get_args(Event),
    announce=announce,
)


def role_holder_id(tenant: str, person: str) -> UUID:
    return derived_id("role-holder", tenant, person)


def duties_held_by(person: str) -> AllWhere[Duties]:
    """The need for one person's duties: `given.only(duties_held_by(person))`."""
    return AllWhere(Duties, (("person", person),))
