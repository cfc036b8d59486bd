"""The view that a service holds of the duties announced by the audit service, by person and by role.

The audit service decides about assignments; here they are only learnt, so nothing is refused. News of one person
arrive in order; news of several persons, which meet in a roster, commute.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import get_args
from uuid import UUID

from duties.assignments import Assignment, Assignments, Duties, Roster, with_assignment, with_last_day
from events.kernel import Aggregate, AllWhere, Given, derived_id, event, value
from events.words import Day


@value
class Learn:
    """An assignment was announced."""

    assignment: Assignment


@value
class LearnEnd:
    """The last day of an assignment was announced."""

    assignment: UUID
    until: Day


@event("duty-learnt")
class Learnt:
    assignment: Assignment


@event("duty-end-learnt")
class EndLearnt:
    assignment: UUID
    until: Day


Command = Learn | LearnEnd
Event = Learnt | EndLearnt


def decide(state: Duties | Roster, command: Command, _given: Given) -> Sequence[Event]:
    known = {each.assignment: each for each in state.assignments}
    match command:
        case Learn(assignment=told):
            return () if told.assignment in known else [Learnt(assignment=told)]
        case LearnEnd(assignment=assignment, until=until):
            unheard = assignment in known and known[assignment].until != until
            return [EndLearnt(assignment=assignment, until=until)] if unheard else ()


def _evolved(known: Assignments, happened: Event) -> Assignments:
    match happened:
        case Learnt(assignment=told):
            return with_assignment(known, told)
        case EndLearnt(assignment=assignment, until=until):
            return with_last_day(known, assignment, until)


def evolve_duties(duties: Duties, happened: Event) -> Duties:
    person = happened.assignment.person if isinstance(happened, Learnt) else duties.person
    return replace(duties, person=person, assignments=_evolved(duties.assignments, happened))


def evolve_roster(roster: Roster, happened: Event) -> Roster:
    role = happened.assignment.role if isinstance(happened, Learnt) else roster.role
    return replace(roster, role=role, assignments=_evolved(roster.assignments, happened))


known_duties = Aggregate[Duties, Command, Event](
    kind="known-duty", initial=Duties(), decide=decide, evolve=evolve_duties, events=get_args(Event)
)
"""One stream per person: what does this person answer for?"""

role_roster = Aggregate[Roster, Command, Event](
    kind="role-roster", initial=Roster(), decide=decide, evolve=evolve_roster, events=get_args(Event)
)
"""One stream per role: who answers for this?"""


def duties_id(tenant: str, person: str) -> UUID:
    return derived_id("duties", tenant, person)


def roster_id(tenant: str, role: str) -> UUID:
    return derived_id("role-roster", tenant, role)


def duties_of(person: str) -> AllWhere[Duties]:
    """The need for one person's duties."""
    return AllWhere(Duties, (("person", person),))
