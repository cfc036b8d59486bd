"""What is true of a finding now, and what became of the corrective actions that it led to (A-10, A-12, A-14)."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from audit_service.evidence import Evidence
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
from audit_service.findings.values import CorrectiveAction, Dispute, Standing, Verification
from contracts.audit import Grade
from events.kernel import value
from events.words import Key


class Status(StrEnum):
    ABSENT = "absent"
    RAISED = "raised"
    ISSUED = "issued"
    DISPUTED = "disputed"
    VERIFIED = "verified"
    WITHDRAWN = "withdrawn"


STANDING = (Status.ISSUED, Status.DISPUTED, Status.VERIFIED)
"""Issued, and never taken back."""
SETTLED = (Status.VERIFIED, Status.WITHDRAWN)
"""Nothing is left to do."""


@value
class Finding:
    status: Status = Status.ABSENT
    number: str = ""
    audit: UUID | None = None
    audit_number: str = ""
    edition: str = ""
    clause: str = ""
    service: Key | None = None
    grade: Grade = Grade.OBSERVATION
    statement: str = ""
    evidence: tuple[Evidence, ...] = ()
    raised_by: str = ""
    issued_at: datetime | None = None
    dispute: Dispute | None = None
    corrective_actions: tuple[CorrectiveAction, ...] = ()
    verification: Verification | None = None

    @property
    def criterion(self) -> str:
        """What it was found against, as it is cited: ISO/IEC 20000-1:2018 8.3.3."""
        return f"{self.edition} {self.clause}"


def evolve(finding: Finding, happened: Event) -> Finding:
    match happened:
        case Raised():
            return _raised(happened)
        case Issued(at=at):
            return replace(finding, status=Status.ISSUED, issued_at=at)
        case Amended(grade=grade, statement=statement, evidence=more):
            evidence = (*finding.evidence, *more)
            return _undisputed(replace(finding, grade=grade, statement=statement, evidence=evidence))
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


def _raised(raised: Raised) -> Finding:
    return Finding(
        status=Status.RAISED,
        number=raised.number,
        audit=raised.audit,
        audit_number=raised.audit_number,
        edition=raised.edition,
        clause=raised.clause,
        service=raised.service,
        grade=raised.grade,
        statement=raised.statement,
        evidence=raised.evidence,
        raised_by=raised.by,
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
