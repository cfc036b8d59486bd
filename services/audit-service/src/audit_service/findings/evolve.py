"""What is true of a finding after each event."""

from dataclasses import replace

from audit_service.findings.events import (
    ActionFollowed,
    Amended,
    Disputed,
    Event,
    Issued,
    Raised,
    Upheld,
    Verified,
    Withdrawn,
)
from audit_service.findings.state import CorrectiveAction, Finding, Standing, Status


def evolve(finding: Finding, happened: Event) -> Finding:
    match happened:
        case Raised():
            return _raised(happened)
        case Issued(at=at):
            return replace(finding, status=Status.ISSUED, issued_at=at)
        case Amended(grade=grade, statement=statement):
            return _undisputed(replace(finding, grade=grade, statement=statement))
        case Disputed(dispute=dispute):
            return replace(finding, status=Status.DISPUTED, dispute=dispute)
        case Upheld():
            return _undisputed(finding)
        case Withdrawn():
            return replace(finding, status=Status.WITHDRAWN, dispute=None)
        case ActionFollowed(action=action):
            return _followed(finding, action)
        case Verified(verification=verification):
            return replace(finding, status=Status.VERIFIED, verification=verification)


def _raised(event: Raised) -> Finding:
    return Finding(
        status=Status.RAISED,
        number=event.number,
        audit=event.audit,
        audit_number=event.audit_number,
        edition=event.edition,
        clause=event.clause,
        service=event.service,
        grade=event.grade,
        statement=event.statement,
        evidence=event.evidence,
        raised_by=event.by,
    )


def _undisputed(finding: Finding) -> Finding:
    return replace(finding, status=Status.ISSUED, dispute=None) if finding.status is Status.DISPUTED else finding


def _followed(finding: Finding, action: CorrectiveAction) -> Finding:
    """One entry per action, in an order that does not depend on whose news came first."""
    others = (each for each in finding.corrective_actions if each.action != action.action)
    known = tuple(sorted((*others, action), key=lambda each: str(each.action)))
    finding = replace(finding, corrective_actions=known)
    if finding.status is Status.VERIFIED and action.standing is Standing.REOPENED:
        return replace(finding, status=Status.ISSUED, verification=None)
    return finding
