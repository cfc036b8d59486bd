"""A person holds roles as dated facts: assigned from a day on, ended with a last day, never overwritten (P-01)."""

from collections.abc import Sequence
from dataclasses import replace
from uuid import UUID

from duties.assignments import Assignment, Duties, with_assignment, with_last_day
from events.kernel import Forbidden, Given, NotFound, Refused, Unacceptable, event, value
from events.words import Day, Key, Person, Role, Text

# --- commands --------------------------------------------------------------------------------------------------------


@value
class Assign:
    """Give a person a role, for one service or (service null) for all."""

    person: Person
    role: Role
    service: Key | None = None
    since: Day
    until: Day | None = None


@value
class End:
    """Name the last day of an assignment; a later end than the known one is a new assignment."""

    assignment: UUID
    until: Day
    reason: Text


Command = Assign | End


# --- events ----------------------------------------------------------------------------------------------------------


@event("role-assigned")
class Assigned:
    assignment: Assignment


@event("role-ended")
class Ended:
    assignment: UUID
    until: Day
    reason: Text


Event = Assigned | Ended


# --- state -----------------------------------------------------------------------------------------------------------


def evolve(holder: Duties, happened: Event) -> Duties:
    match happened:
        case Assigned(assignment=added):
            return replace(holder, person=added.person, assignments=with_assignment(holder.assignments, added))
        case Ended(assignment=assignment, until=until):
            return replace(holder, assignments=with_last_day(holder.assignments, assignment, until))


# --- decisions -------------------------------------------------------------------------------------------------------


def decide(holder: Duties, command: Command, given: Given) -> Sequence[Event]:
    _refuse_own_roles(command.person if isinstance(command, Assign) else holder.person, given)
    match command:
        case Assign():
            return _assign(holder, command, given)
        case End():
            return _end(holder, command)


def _refuse_own_roles(person: str, given: Given) -> None:
    """Roles carry authority and mark what is one's own work: nobody takes or drops them for oneself."""
    if person == given.by.person:
        raise Forbidden(f"somebody else than {person} decides about the roles of {person}", rule="P-01")


def _assign(holder: Duties, command: Assign, given: Given) -> Sequence[Event]:
    if command.until and command.until < command.since:
        raise Unacceptable(f"the last day {command.until} lies before the first, {command.since}", rule="P-01")
    for other in holder.assignments:
        same = (other.role, other.service) == (command.role, command.service)
        if same and _overlap(other, command):
            raise Refused(
                f"{command.person} already holds {spelled(other)}",
                rule="P-01",
                assignment=other.assignment,
                role=other.role,
                since=other.since,
                until=other.until,
            )
    assignment = Assignment(
        assignment=given.new_id("assignment"),
        person=command.person,
        role=command.role,
        service=command.service,
        since=command.since,
        until=command.until,
    )
    return [Assigned(assignment=assignment)]


def _overlap(held: Assignment, asked: Assign) -> bool:
    begins_in_time = asked.until is None or held.since <= asked.until
    return begins_in_time and (held.until is None or held.until >= asked.since)


def _end(holder: Duties, command: End) -> Sequence[Event]:
    held = next((each for each in holder.assignments if each.assignment == command.assignment), None)
    if held is None:
        raise NotFound("there is no such assignment of this person", rule="P-01")
    if command.until < held.since:
        raise Unacceptable(f"the last day {command.until} lies before the first, {held.since}", rule="P-01")
    if held.until == command.until:
        return []
    if held.until and held.until < command.until:
        raise Refused(f"the assignment ended on {held.until}: assign the role anew to extend it", rule="P-01")
    return [Ended(assignment=command.assignment, until=command.until, reason=command.reason)]


def spelled(duty: Assignment) -> str:
    """A duty in words: `service-operator for SVC-ERP since 2024-01-01 until 2025-11-30`."""
    until = f" until {duty.until}" if duty.until else ""
    return f"{duty.role} for {duty.service or 'all services'} since {duty.since}{until}"
