"""What a finding is made of: its dispute, its verification, and how its corrective actions stand (A-12, A-14)."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from audit_service.evidence import Evidence
from events.kernel import value
from events.words import Line, Person, Text


class Ruling(StrEnum):
    UPHELD = "upheld"
    AMENDED = "amended"
    WITHDRAWN = "withdrawn"


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
