"""What is true of an audit now: how far it is, its team, what it has found so far (A-05)."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from enum import StrEnum
from uuid import UUID

from audit_service.audits.events import (
    Cancelled,
    Closed,
    Event,
    FieldworkCompleted,
    FollowUpBegun,
    Planned,
    Postponed,
    Prepared,
    ReportAcknowledged,
    ReportIssued,
    ResultRecorded,
    Resumed,
    Revised,
    Started,
    TeamChanged,
)
from audit_service.audits.values import AuditPlan, Report, Result, Verdict
from audit_service.evidence import Criterion, Evidence
from events.kernel import value
from events.words import Person


class Status(StrEnum):
    ABSENT = "absent"
    PLANNED = "planned"
    PREPARED = "prepared"
    IN_PROGRESS = "in_progress"
    FIELDWORK_DONE = "fieldwork_done"
    REPORTED = "reported"
    FOLLOW_UP = "follow_up"
    CLOSED = "closed"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"


FIELDWORK = (Status.IN_PROGRESS, Status.FIELDWORK_DONE)
"""Evidence is being judged."""


@value
class Audit:
    status: Status = Status.ABSENT
    audit: UUID | None = None
    number: str = ""
    plan: AuditPlan = AuditPlan(title="Not planned", zone="UTC")
    lead: Person | None = None
    members: tuple[Person, ...] = ()
    previous_findings: tuple[UUID, ...] = ()
    """What earlier audits of this scope found, as listed when the audit was prepared (A-14)."""
    follow_up_items: tuple[UUID, ...] = ()
    results: tuple[Result, ...] = ()
    reports: tuple[Report, ...] = ()
    cancelled_by: Person | None = None

    @property
    def team(self) -> tuple[str, ...]:
        """Lead and members, each once."""
        return tuple(dict.fromkeys((*((self.lead,) if self.lead else ()), *self.members)))

    @property
    def verdicts(self) -> Mapping[Criterion, Verdict]:
        """What the audit says to each criterion that was judged: its last word."""
        return {result.criterion: result.outcome for result in self.results}

    @property
    def evidence(self) -> Iterator[Evidence]:
        """All that its results rest on."""
        return (each for result in self.results for each in result.evidence)


def evolve(audit: Audit, happened: Event) -> Audit:  # noqa: C901 one case per event
    match happened:
        case Planned(audit=own, number=number, plan=plan, lead=lead, members=members):
            return Audit(status=Status.PLANNED, audit=own, number=number, plan=plan, lead=lead, members=members)
        case Revised(plan=plan):
            return replace(audit, plan=plan)
        case TeamChanged(lead=lead, members=members):
            return replace(audit, lead=lead, members=members)
        case Prepared(previous_findings=findings, follow_up_items=items):
            return replace(audit, status=Status.PREPARED, previous_findings=findings, follow_up_items=items)
        case Started():
            return replace(audit, status=Status.IN_PROGRESS)
        case ResultRecorded(result=result):
            return replace(audit, results=(*audit.results, result))
        case FieldworkCompleted():
            return replace(audit, status=Status.FIELDWORK_DONE)
        case ReportIssued(report=report):
            return _with_report(audit, report)
        case ReportAcknowledged(revision=revision, by=by):
            return replace(audit, reports=_acknowledged(audit.reports, revision, by))
        case FollowUpBegun():
            return replace(audit, status=Status.FOLLOW_UP)
        case Closed():
            return replace(audit, status=Status.CLOSED)
        case Postponed():
            return replace(audit, status=Status.POSTPONED)
        case Resumed(starts_on=starts_on, ends_on=ends_on):
            return replace(audit, status=Status.PLANNED, plan=replace(audit.plan, starts_on=starts_on, ends_on=ends_on))
        case Cancelled(approver=approver):
            return replace(audit, status=Status.CANCELLED, cancelled_by=approver)


def _with_report(audit: Audit, report: Report) -> Audit:
    """A first report moves the audit on; a corrected one leaves it where it is."""
    status = Status.REPORTED if audit.status is Status.FIELDWORK_DONE else audit.status
    return replace(audit, status=status, reports=(*audit.reports, report))


def _acknowledged(reports: tuple[Report, ...], revision: int, by: str) -> tuple[Report, ...]:
    return tuple(
        replace(each, acknowledged_by=(*each.acknowledged_by, by)) if each.revision == revision else each
        for each in reports
    )
