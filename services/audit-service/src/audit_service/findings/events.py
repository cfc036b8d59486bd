"""What has happened to a finding."""

from datetime import datetime
from uuid import UUID

from audit_service.evidence import Evidence
from audit_service.findings.values import CorrectiveAction, Dispute, Verification
from contracts.audit import Grade
from events.kernel import event
from events.words import Key, Line, Person, Text


@event("finding-raised")
class Raised:
    number: Line
    audit: UUID
    audit_number: Line
    edition: Line
    clause: Key
    service: Key | None
    grade: Grade
    statement: Text
    evidence: tuple[Evidence, ...]
    by: Person


@event("finding-issued")
class Issued:
    at: datetime


@event("finding-amended")
class Amended:
    previous_grade: Grade
    previous_statement: Text
    grade: Grade
    statement: Text
    evidence: tuple[Evidence, ...] = ()
    reason: Text
    by: Person


@event("finding-disputed")
class Disputed:
    dispute: Dispute


@event("finding-upheld")
class Upheld:
    reason: Text
    by: Person


@event("finding-withdrawn")
class Withdrawn:
    reason: Text
    by: Person


@event("finding-action-followed")
class ActionFollowed:
    action: CorrectiveAction


@event("finding-verified")
class Verified:
    verification: Verification


Event = Raised | Issued | Amended | Disputed | Upheld | Withdrawn | ActionFollowed | Verified
