"""Role assignments as dated facts, and the questions that they answer (P-01).

A duty lasts whole days, first and last included. Which day an instant falls on is known where the time zone is known,
so every question takes days.
"""

from dataclasses import replace
from datetime import date
from uuid import UUID

from events.kernel import value
from events.words import Day, Key, Person, Role


@value
class Assignment:
    """A person holds a role from `since` to `until` (both included), for one service or (service null) for all."""

    assignment: UUID
    person: Person
    role: Role
    service: Key | None
    since: Day
    until: Day | None

    def touches(self, first: date, last: date) -> bool:
        """Whether the duty was held on any day from `first` to `last`."""
        return self.since <= last and (self.until is None or self.until >= first)

    def covers(self, service: str | None) -> bool:
        """Whether the duty extends to a service, or (service null) is held without regard to any one service."""
        return self.service is None or self.service == service


Assignments = tuple[Assignment, ...]


@value
class Duties:
    """What one person answers for, now, before and later."""

    person: str = ""
    assignments: Assignments = ()


@value
class Roster:
    """Who holds one role, now, before and later."""

    role: str = ""
    assignments: Assignments = ()


def held(duties: Duties, role: str, on: date, service: str | None = None) -> bool:
    """Whether the person holds the role on that day.

    A role held for all services is held for each; a role held for one service says nothing about the others, nor about
    what concerns no service (`service` null).
    """
    return any(each.role == role and each.touches(on, on) and each.covers(service) for each in duties.assignments)


def held_within(duties: Duties, service: str, first: date, last: date) -> Assignments:
    """What the person answered for, as to one service, on any day from `first` to `last` (look-back)."""
    return tuple(each for each in duties.assignments if each.touches(first, last) and each.covers(service))


def holders(roster: Roster, on: date, service: str | None = None) -> tuple[str, ...]:
    """The persons who hold the role on that day: those of this very service first, then those longest in the role."""
    found = [each for each in roster.assignments if each.touches(on, on) and each.covers(service)]
    found.sort(key=lambda each: (each.service is None, each.since, each.person))
    return tuple(dict.fromkeys(each.person for each in found))


def holder(roster: Roster, on: date, service: str | None = None) -> str | None:
    """The person to turn to for the role on that day, where anybody holds it."""
    return next(iter(holders(roster, on, service)), None)


def with_assignment(known: Assignments, added: Assignment) -> Assignments:
    """The assignments with one more, in an order that does not depend on who was heard first."""
    return tuple(sorted((*known, added), key=lambda each: (each.since, each.person, str(each.assignment))))


def with_last_day(known: Assignments, assignment: UUID, until: date) -> Assignments:
    """The assignments, one of which ends on that day."""
    return tuple(replace(each, until=until) if each.assignment == assignment else each for each in known)
