"""What others hear about roles."""

from audit_service.role_holders.domain import Assigned, Ended, Event
from contracts.audit import RoleAssigned, RoleEnded
from duties.assignments import Duties


def announce(holder: Duties, happened: Event) -> RoleAssigned | RoleEnded:
    match happened:
        case Assigned(assignment=duty):
            return RoleAssigned(
                assignment=duty.assignment,
                person=duty.person,
                role=duty.role,
                service=duty.service,
                since=duty.since,
                until=duty.until,
            )
        case Ended(assignment=assignment, until=until):
            duty = next(each for each in holder.assignments if each.assignment == assignment)
            return RoleEnded(
                assignment=assignment, person=duty.person, role=duty.role, service=duty.service, until=until
            )
