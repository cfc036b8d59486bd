"""What others hear about findings: nothing, until they are issued."""

from audit_service.findings.events import Amended, Event, Issued, Withdrawn
from audit_service.findings.state import Finding
from contracts.audit import FindingAmended, FindingIssued, FindingWithdrawn

Announced = FindingIssued | FindingAmended | FindingWithdrawn


def announce(finding: Finding, happened: Event) -> Announced | None:
    if finding.issued_at is None or finding.audit is None:
        return None
    match happened:
        case Issued():
            return FindingIssued(
                number=finding.number,
                audit=finding.audit,
                audit_number=finding.audit_number,
                grade=finding.grade,
                edition=finding.edition,
                clause=finding.clause,
                service=finding.service,
                statement=finding.statement,
            )
        case Amended(previous_grade=previous_grade, reason=reason):
            return FindingAmended(
                number=finding.number,
                previous_grade=previous_grade,
                grade=finding.grade,
                clause=finding.clause,
                service=finding.service,
                statement=finding.statement,
                reason=reason,
            )
        case Withdrawn(reason=reason, by=by):
            return FindingWithdrawn(number=finding.number, reason=reason, by=by)
        case _:
            return None
