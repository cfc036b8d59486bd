"""What can be asked of a finding, and what is heard about its corrective action."""

from datetime import datetime
from uuid import UUID

from audit_service.evidence import Criterion, Evidence
from audit_service.findings.values import Ruling, Standing
from contracts.audit import Grade
from events.kernel import value
from events.words import Key, Line, Text


@value
class Raise:
    audit: UUID
    criterion: Criterion
    service: Key | None = None
    grade: Grade
    statement: Text
    evidence: tuple[Evidence, ...] = ()


@value
class Issue:
    """Hand the finding to those who answer for it."""


@value
class Amend:
    """Another grade or statement, as a new decision with its reason; what it was before stays readable (A-12).

    Evidence is added to what there was: what was merely observed may so become a nonconformity (A-10).
    """

    grade: Grade
    statement: Text
    evidence: tuple[Evidence, ...] = ()
    reason: Text


@value
class DisputeFinding:
    reason: Text
    evidence: tuple[Evidence, ...]


@value
class DecideDispute:
    """Grade, statement and added evidence are those of an amended finding; left out, they stay as they are."""

    ruling: Ruling
    reason: Text
    grade: Grade | None = None
    statement: Text | None = None
    evidence: tuple[Evidence, ...] = ()


@value
class Withdraw:
    reason: Text


@value
class Verify:
    """See that the nonconformity is gone: in the audit's own follow-up, or in the course of a later audit."""

    note: Text
    evidence: tuple[Evidence, ...]
    during: UUID | None = None


@value
class FollowAction:
    """News of a corrective action that this finding is a source of."""

    action: UUID
    number: Line
    standing: Standing
    at: datetime


Command = Raise | Issue | Amend | DisputeFinding | DecideDispute | Withdraw | Verify | FollowAction
