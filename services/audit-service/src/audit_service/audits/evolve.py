"""What is true of an audit after each event."""

from dataclasses import replace

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
from audit_service.audits.state import Audit, Report, Status


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
