"""The view that a service holds of the duties announced by the audit service, by person and by role.

The audit service decides about assignments; here they are only learnt, so nothing is refused. News of one person
arrive in order; news of several persons, which meet in a roster, commute.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from uuid import UUID

from chassis.routes import Feature, Listing, Routes
from contracts.audit import RoleAssigned, RoleEnded
from duties.assignments import Assignment, Assignments, Duties, Roster, with_assignment, with_last_day
from events.kernel import Aggregate, AllWhere, Found, Given, News, Reaction, derived_id, event, value
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
    kind="known-duty", initial=Duties(), decide=decide, evolve=evolve_duties, events=(Learnt, EndLearnt)
)
"""One stream per person: what does this person answer for?"""

role_roster = Aggregate[Roster, Command, Event](
    kind="role-roster", initial=Roster(), decide=decide, evolve=evolve_roster, events=(Learnt, EndLearnt)
)
"""One stream per role: who answers for this?"""


def duties_id(tenant: str, person: str) -> UUID:
    return derived_id("duties", tenant, person)


def roster_id(tenant: str, role: str) -> UUID:
    return derived_id("role-roster", tenant, role)


# --- what a decision needs to know -----------------------------------------------------------------------------------


def duties_of(person: str) -> AllWhere[Duties]:
    """The need for one person's duties; `duties_from(given[...])` reads what was found."""
    return AllWhere(known_duties, (("person", person),))


def duties_from(found: Sequence[Found[Duties]]) -> Duties:
    return found[0].state if found else known_duties.initial


def roster_of(role: str) -> AllWhere[Roster]:
    """The need for the holders of one role; `roster_from(given[...])` reads what was found."""
    return AllWhere(role_roster, (("role", role),))


def roster_from(found: Sequence[Found[Roster]]) -> Roster:
    return found[0].state if found else role_roster.initial


# --- what is heard ---------------------------------------------------------------------------------------------------


def _learnt_from(news: News) -> Command | None:
    match news.body:
        case RoleAssigned() as told:
            return Learn(
                assignment=Assignment(
                    assignment=told.assignment,
                    person=told.person,
                    role=told.role,
                    service=told.service,
                    since=told.since,
                    until=told.until,
                )
            )
        case RoleEnded() as told:
            return LearnEnd(assignment=told.assignment, until=told.until)
        case _:
            return None


def react_by_person(news: News) -> Iterable[Reaction]:
    if command := _learnt_from(news):
        stream = duties_id(news.tenant, news.body.person)
        yield Reaction(rule="learn-duty", aggregate=known_duties, stream=stream, command=command)


def react_by_role(news: News) -> Iterable[Reaction]:
    if command := _learnt_from(news):
        stream = roster_id(news.tenant, news.body.role)
        yield Reaction(rule="learn-role-holder", aggregate=role_roster, stream=stream, command=command)


HEARD = (RoleAssigned, RoleEnded)

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
