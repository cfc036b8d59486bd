"""What can be asked of an audit."""

from audit_service.audits.values import AuditPlan, Verdict
from audit_service.evidence import Criterion, Evidence
from events.kernel import value
from events.words import Count, Day, Person, Text


@value
class Plan:
    plan: AuditPlan
    lead: Person | None = None
    members: tuple[Person, ...] = ()


@value
class Revise:
    """Replace the plan, as long as the audit is not prepared."""

    plan: AuditPlan


@value
class ChangeTeam:
    lead: Person
    members: tuple[Person, ...] = ()
    reason: Text


@value
class Prepare:
    """List what the audit must look at: open follow-up items and previous findings of its scope (A-14)."""


@value
class Start:
    """Begin the fieldwork: the plan is complete, and every auditor is still independent (A-04, A-06)."""


@value
class RecordResult:
    criterion: Criterion
    outcome: Verdict
    reason: Text | None = None
    evidence: tuple[Evidence, ...] = ()


@value
class CompleteFieldwork:
    pass


@value
class IssueReport:
    recipients: tuple[Person, ...]
    summary: Text


@value
class CorrectReport:
    """Issue a new revision; the earlier ones stay as they are."""

    recipients: tuple[Person, ...]
    summary: Text
    reason: Text


@value
class AcknowledgeReport:
    """A recipient confirms having received a revision of the report; the latest, where none is named."""

    revision: Count | None = None


@value
class BeginFollowUp:
    pass


@value
class Close:
    pass


@value
class Postpone:
    reason: Text


@value
class Resume:
    """Plan a postponed audit again, for new dates; it is prepared anew, as there may be more to look at."""

    starts_on: Day
    ends_on: Day


@value
class Cancel:
    """Whoever cancels approves it, and is not the lead of the audit."""

    reason: Text


Command = (
    Plan
    | Revise
    | ChangeTeam
    | Prepare
    | Start
    | RecordResult
    | CompleteFieldwork
    | IssueReport
    | CorrectReport
    | AcknowledgeReport
    | BeginFollowUp
    | Close
    | Postpone
    | Resume
    | Cancel
)
