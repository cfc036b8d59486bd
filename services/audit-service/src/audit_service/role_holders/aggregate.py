"""Role holders: one stream per person."""

from audit_service.role_holders.announce import announce
from audit_service.role_holders.domain import Assigned, Command, Ended, Event, decide, evolve
from duties.assignments import Duties
from events.kernel import Aggregate, AllWhere, Found

role_holders = Aggregate[Duties, Command, Event](
    kind="role-holder",
    initial=Duties(),
    decide=decide,
    evolve=evolve,
    events=(Assigned, Ended),
    announce=announce,
)


def duties_held_by(person: str) -> AllWhere[Duties]:
    """The need for one person's duties; `duties_in(given[...])` reads what was found."""
    return AllWhere(role_holders, (("person", person),))


def duties_in(found: tuple[Found[Duties], ...]) -> Duties:
    return found[0].state if found else role_holders.initial
