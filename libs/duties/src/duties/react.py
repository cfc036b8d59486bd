"""How both views learn of assignments: from the announcements of the audit service."""

from collections.abc import Iterable

from contracts.audit import RoleAssigned, RoleEnded
from duties.assignments import Assignment
from duties.known import Command, Learn, LearnEnd, duties_id, known_duties, role_roster, roster_id
from events.kernel import News, Reaction

HEARD = (RoleAssigned, RoleEnded)


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
