"""A finding as it stands, and what became of the corrective action it led to (A-10, A-12, A-14)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from audit_service.evidence import Evidence
from contracts.audit import Grade
from events.kernel import value
from events.words import Key, Line, Person, Text


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


class Standing(StrEnum):
    """How a corrective action stands, as far as it was heard."""

    OPEN = "open"
    REOPENED = "reopened"
    CANCELLED = "cancelled"
    CLOSED_EFFECTIVE = "closed-effective"


@value
class CorrectiveAction:
    """An action that this finding is, or was, a source of."""

    action: UUID
    number: Line
    standing: Standing
    since: datetime


@value
class Dispute:
    by: Person
    reason: Text
    evidence: tuple[Evidence, ...]


@value
class Verification:
    """Who saw, in the course of which audit, that the nonconformity is gone."""

    audit: UUID
    by: Person
    at: datetime
    note: Text
    evidence: tuple[Evidence, ...]


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
