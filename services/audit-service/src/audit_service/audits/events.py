"""What has happened to an audit."""

from uuid import UUID

from audit_service.audits.values import AuditPlan, Report, Result
from events.kernel import event
from events.words import Day, Person, Text


@event("audit-planned")
class Planned:
    audit: UUID
    number: str
    plan: AuditPlan
    lead: Person | None
    members: tuple[Person, ...]


@event("audit-plan-revised")
class Revised:
    plan: AuditPlan


@event("audit-team-changed")
class TeamChanged:
    lead: Person
    members: tuple[Person, ...]
    reason: Text


@event("audit-prepared")
class Prepared:
    previous_findings: tuple[UUID, ...]
    follow_up_items: tuple[UUID, ...]


@event("audit-started")
class Started:
    on: Day


@event("audit-result-recorded")
class ResultRecorded:
    result: Result


@event("audit-fieldwork-completed")
class FieldworkCompleted:
    pass


@event("audit-report-issued")
class ReportIssued:
    report: Report


@event("audit-report-acknowledged")
class ReportAcknowledged:
    revision: int
    by: Person


@event("audit-follow-up-begun")
class FollowUpBegun:
    pass


@event("audit-closed")
class Closed:
    pass


@event("audit-postponed")
class Postponed:
    reason: Text


@event("audit-resumed")
class Resumed:
    starts_on: Day
    ends_on: Day


@event("audit-cancelled")
class Cancelled:
    reason: Text
    approver: Person


Event = (
    Planned
    | Revised
    | TeamChanged
    | Prepared
    | Started
    | ResultRecorded
    | FieldworkCompleted
    | ReportIssued
    | ReportAcknowledged
    | FollowUpBegun
    | Closed
    | Postponed
    | Resumed
    | Cancelled
)
