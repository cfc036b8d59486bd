"""What the audit service tells the others: who holds which role, and what audits found."""

from enum import StrEnum
from uuid import UUID

from events.kernel import public
from events.words import Day, Key, Line, Person, Role, Text


class Grade(StrEnum):
    """How grave a finding is (A-10); only the nonconformities call for a corrective action."""

    MAJOR = "major"
    MINOR = "minor"
    OBSERVATION = "observation"
    OPPORTUNITY = "opportunity"
    STRENGTH = "strength"


NONCONFORMITIES = (Grade.MAJOR, Grade.MINOR)


@public("audit", "role-holder", "role-assigned")
class RoleAssigned:
    """A person holds a role from `since` on, for one service or (service null) for all; the stream is the person's."""

    assignment: UUID
    person: Person
    role: Role
    service: Key | None
    since: Day
    until: Day | None


@public("audit", "role-holder", "role-ended")
class RoleEnded:
    """The assignment's last day is `until`."""

    assignment: UUID
    person: Person
    role: Role
    service: Key | None
    until: Day


@public("audit", "finding", "finding-issued")
class FindingIssued:
    """A finding was issued to those who answer for it; the stream is the finding's."""

    number: Line
    audit: UUID
    audit_number: Line
    grade: Grade
    edition: Line
    clause: Key
    service: Key | None
    statement: Text


@public("audit", "finding", "finding-amended")
class FindingAmended:
    """An issued finding has another grade or statement after a dispute or a new decision (A-12)."""

    number: Line
    previous_grade: Grade
    grade: Grade
    clause: Key
    service: Key | None
    statement: Text
    reason: Text


@public("audit", "finding", "finding-withdrawn")
class FindingWithdrawn:
    """An issued finding no longer stands; its corrective action should be cancelled by whoever may."""

    number: Line
    reason: Text
    by: Person


@public("audit", "audit", "audit-reported")
class AuditReported:
    """The report of an audit was issued to its recipients (A-13); the stream is the audit's."""

    number: Line
    revision: int
    recipients: tuple[Person, ...]
    findings: tuple[UUID, ...]
