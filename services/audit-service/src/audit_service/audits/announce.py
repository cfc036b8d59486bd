"""What others hear about audits: that one was reported."""

from audit_service.audits.events import Event, ReportIssued
from audit_service.audits.state import Audit
from contracts.audit import AuditReported


def announce(audit: Audit, happened: Event) -> AuditReported | None:
    match happened:
        case ReportIssued(report=report):
            return AuditReported(
                number=audit.number,
                revision=report.revision,
                recipients=report.recipients,
                findings=report.findings,
            )
        case _:
            return None
