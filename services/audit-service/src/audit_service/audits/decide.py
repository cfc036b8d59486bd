"""Decisions about an audit: which step is next, and what must be there before it is taken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from audit_service.audits import events
from audit_service.audits.commands import (
    AcknowledgeReport,
    BeginFollowUp,
    Cancel,
    ChangeTeam,
    Close,
    Command,
    CompleteFieldwork,
    CorrectReport,
    IssueReport,
    Plan,
    Postpone,
    Prepare,
    RecordResult,
    Resume,
    Revise,
    Start,
)
from audit_service.audits.events import Event
from audit_service.audits.independence import LONGEST_LOOK_BACK, refuse_dependent
from audit_service.audits.needs import NUMBER, findings_of, open_items, previous_findings
from audit_service.audits.state import FIELDWORK, Audit, Status
from audit_service.audits.team import refuse_outsider, refuse_own_evidence
from audit_service.audits.values import AuditPlan, Report, Result, Verdict
from audit_service.evidence import refuse_unsound
from audit_service.findings.state import SETTLED, STANDING, Finding
from audit_service.findings.state import Status as Found
from audit_service.turns import refuse_out_of_turn
from contracts.audit import NONCONFORMITIES
from events.kernel import Forbidden, Given, NotFound, Refused, Unacceptable
from events.words import day_of

BEFORE_START = (Status.PLANNED, Status.PREPARED)
AFTER_REPORT = (Status.REPORTED, Status.FOLLOW_UP, Status.CLOSED)

TURN: Mapping[type, tuple[Status, ...]] = {
    Plan: (Status.ABSENT,),
    Revise: (Status.PLANNED,),
    ChangeTeam: (*BEFORE_START, *FIELDWORK, Status.REPORTED, Status.FOLLOW_UP, Status.POSTPONED),
    Prepare: (Status.PLANNED,),
    Start: (Status.PREPARED,),
    RecordResult: FIELDWORK,
    CompleteFieldwork: (Status.IN_PROGRESS,),
    IssueReport: (Status.FIELDWORK_DONE,),
    CorrectReport: AFTER_REPORT,
    AcknowledgeReport: AFTER_REPORT,
    BeginFollowUp: (Status.REPORTED,),
    Close: (Status.FOLLOW_UP,),
    Postpone: BEFORE_START,
    Resume: (Status.POSTPONED,),
    Cancel: (*BEFORE_START, *FIELDWORK, Status.POSTPONED),
}
"""In which states each step may be taken: none can be skipped, and cancelled is the end (A-05)."""


def decide(audit: Audit, command: Command, given: Given) -> Sequence[Event]:  # noqa: C901 one line per command
    refuse_out_of_turn("audit", audit.number, audit.status, TURN[type(command)], rule="A-05")
    match command:
        case Plan():
            return _plan(command, given)
        case Revise(plan=plan):
            return _revise(audit, plan, given)
        case ChangeTeam():
            return _change_team(audit, command, given)
        case Prepare():
            return _prepare(audit, given)
        case Start():
            return _start(audit, given)
        case RecordResult():
            return _record_result(audit, command, given)
        case CompleteFieldwork():
            return [events.FieldworkCompleted()]
        case IssueReport():
            return _issue_report(audit, command, given)
        case CorrectReport():
            return _correct_report(audit, command, given)
        case AcknowledgeReport():
            return _acknowledge_report(audit, command, given)
        case BeginFollowUp():
            return [events.FollowUpBegun()]
        case Close():
            return _close(audit, given)
        case Postpone(reason=reason):
            return [events.Postponed(reason=reason)]
        case Resume():
            return _resume(audit, command, given)
        case Cancel(reason=reason):
            return _cancel(audit, reason, given)


# --- planning --------------------------------------------------------------------------------------------------------


def _plan(command: Plan, given: Given) -> Sequence[Event]:
    _refuse_impossible(command.plan)
    planned = events.Planned(
        audit=given.stream,
        number=f"AUD-{given[NUMBER]}",
        plan=command.plan,
        lead=command.lead,
        members=tuple(dict.fromkeys(member for member in command.members if member != command.lead)),
    )
    refuse_dependent((*((command.lead,) if command.lead else ()), *planned.members), command.plan, given)
    return [planned]


def _revise(audit: Audit, plan: AuditPlan, given: Given) -> Sequence[Event]:
    _refuse_impossible(plan)
    refuse_dependent(audit.team, plan, given)
    return [events.Revised(plan=plan)] if plan != audit.plan else []


def _refuse_impossible(plan: AuditPlan) -> None:
    if plan.starts_on and plan.ends_on and plan.ends_on < plan.starts_on:
        raise Unacceptable(f"the audit would end on {plan.ends_on}, before it starts on {plan.starts_on}", rule="A-04")
    if plan.look_back_months > LONGEST_LOOK_BACK:
        raise Unacceptable(f"a look-back is {LONGEST_LOOK_BACK} months at most", rule="A-06")
    scope = plan.scope
    if scope.period_from and scope.period_to and scope.period_to < scope.period_from:
        raise Unacceptable(
            f"the audited period would end on {scope.period_to}, before it begins on {scope.period_from}", rule="A-04"
        )


def _change_team(audit: Audit, command: ChangeTeam, given: Given) -> Sequence[Event]:
    members = tuple(dict.fromkeys(member for member in command.members if member != command.lead))
    refuse_dependent((command.lead, *members), audit.plan, given)
    refuse_own_evidence((command.lead, *members), audit.evidence)
    return [events.TeamChanged(lead=command.lead, members=members, reason=command.reason)]


def _prepare(audit: Audit, given: Given) -> Sequence[Event]:
    found = {each.id: each.state for need in previous_findings(audit.plan) for each in given[need]}
    previous = [id for id, finding in found.items() if _is_previous(finding, audit)]
    items = [each.id for each in given[open_items()] if audit.plan.scope.reaches(each.state.service)]
    return [events.Prepared(previous_findings=tuple(previous), follow_up_items=tuple(items))]


def _is_previous(finding: Finding, audit: Audit) -> bool:
    """On a service in scope, or on one of the criteria: by standard and edition, never by the number alone."""
    scope = audit.plan.scope
    judged = any((finding.edition, finding.clause) == (each.norm, each.clause) for each in audit.plan.criteria)
    in_scope = finding.service in scope.services or (judged and scope.reaches(finding.service))
    return in_scope and finding.status in STANDING and finding.audit != audit.audit


def _resume(audit: Audit, command: Resume, given: Given) -> Sequence[Event]:
    plan = replace(audit.plan, starts_on=command.starts_on, ends_on=command.ends_on)
    _refuse_impossible(plan)
    refuse_dependent(audit.team, plan, given)
    return [events.Resumed(starts_on=command.starts_on, ends_on=command.ends_on)]


def _cancel(audit: Audit, reason: str, given: Given) -> Sequence[Event]:
    if given.by.person == audit.lead:
        raise Forbidden(f"{audit.lead} leads {audit.number}: somebody else approves its cancellation", rule="A-05")
    return [events.Cancelled(reason=reason, approver=given.by.person)]


# --- fieldwork -------------------------------------------------------------------------------------------------------


def _start(audit: Audit, given: Given) -> Sequence[Event]:
    if gaps := _gaps(audit):
        raise Refused(f"{audit.number} cannot start without {', '.join(gaps)}", rule="A-04", missing=gaps)
    today = day_of(given.at, audit.plan.zone)
    refuse_dependent(audit.team, audit.plan, given, start=today)
    return [events.Started(on=today)]


def _gaps(audit: Audit) -> list[str]:
    """What the plan still lacks (A-04)."""
    plan, scope = audit.plan, audit.plan.scope
    content = {
        "objectives": plan.objectives,
        "criteria": plan.criteria,
        "scope": scope.named,
        "period": scope.period_from and scope.period_to,
        "method": plan.method,
        "dates": plan.starts_on and plan.ends_on,
        "lead": audit.lead,
    }
    return [name for name, filled in content.items() if not filled]


def _record_result(audit: Audit, command: RecordResult, given: Given) -> Sequence[Event]:
    refuse_outsider(audit, given)
    if command.criterion not in audit.plan.criteria:
        raise Refused(f"{command.criterion} is not among the criteria of {audit.number}", rule="A-05")
    if command.outcome is Verdict.NOT_AUDITED and not command.reason:
        raise Unacceptable(f"say why {command.criterion} was not audited", rule="A-05")
    if command.outcome is not Verdict.NOT_AUDITED and not command.evidence:
        raise Unacceptable(f"say on what evidence {command.criterion} was judged", rule="A-09")
    refuse_unsound(command.evidence, given.at)
    refuse_own_evidence(audit.team, command.evidence)
    result = Result(
        criterion=command.criterion,
        outcome=command.outcome,
        reason=command.reason,
        evidence=command.evidence,
        recorded_by=given.by.person,
    )
    return [events.ResultRecorded(result=result)]


# --- report and follow-up --------------------------------------------------------------------------------------------


def _issue_report(audit: Audit, command: IssueReport, given: Given) -> Sequence[Event]:
    found = [each.state for each in given[findings_of(audit)]]
    _refuse_unjudged(audit)
    _refuse_named("A-13", "raised, but neither issued nor withdrawn", _numbers(found, Found.RAISED))
    _refuse_contradicted(audit, found)
    listed = [each.state for each in given[open_items()] if each.id in audit.follow_up_items]
    _refuse_named("A-14", "to be followed up, but without a conclusion", [item.action_number for item in listed])
    return [_report(audit, command.recipients, command.summary, None, given)]


def _refuse_unjudged(audit: Audit) -> None:
    unjudged = [str(criterion) for criterion in audit.plan.criteria if criterion not in audit.verdicts]
    _refuse_named("A-05", "without a result", unjudged)


def _refuse_contradicted(audit: Audit, found: Iterable[Finding]) -> None:
    """A result that says there is a finding has one that stands; one that says conform has no nonconformity."""
    standing = [finding for finding in found if finding.status is not Found.WITHDRAWN]
    on = {finding.criterion for finding in standing}
    wrong = {finding.criterion for finding in standing if finding.grade in NONCONFORMITIES}
    unfound = sorted(_judged(audit, Verdict.FINDING) - on)
    _refuse_named("A-10", "judged to be a finding, but no finding stands", unfound)
    _refuse_named(
        "A-10", "judged to conform, but a nonconformity stands", sorted(_judged(audit, Verdict.CONFORM) & wrong)
    )


def _judged(audit: Audit, verdict: Verdict) -> set[str]:
    return {str(criterion) for criterion, said in audit.verdicts.items() if said is verdict}


def _numbers(found: Iterable[Finding], *statuses: Found) -> list[str]:
    return [finding.number for finding in found if finding.status in statuses]


def _refuse_named(rule: str, why: str, named: list[str]) -> None:
    if named:
        raise Refused(f"{why}: {', '.join(named)}", rule=rule, open=named)


def _correct_report(audit: Audit, command: CorrectReport, given: Given) -> Sequence[Event]:
    return [_report(audit, command.recipients, command.summary, command.reason, given)]


def _report(
    audit: Audit, recipients: tuple[str, ...], summary: str, correction: str | None, given: Given
) -> events.ReportIssued:
    if not recipients:
        raise Unacceptable("a report is issued to somebody", rule="A-13")
    report = Report(
        revision=len(audit.reports) + 1,
        issued_at=given.at,
        issued_by=given.by.person,
        recipients=recipients,
        summary=summary,
        findings=tuple(each.id for each in given[findings_of(audit)] if each.state.status in STANDING),
        correction=correction,
    )
    return events.ReportIssued(report=report)


def _acknowledge_report(audit: Audit, command: AcknowledgeReport, given: Given) -> Sequence[Event]:
    revision = len(audit.reports) if command.revision is None else command.revision
    person = given.by.person
    report = next((each for each in audit.reports if each.revision == revision), None)
    if report is None:
        raise NotFound(f"{audit.number} has no revision {revision} of its report", rule="A-13")
    if person not in report.recipients:
        raise Forbidden(f"{person} is not among the recipients of revision {revision}", rule="A-13")
    if person in report.acknowledged_by:
        return []
    return [events.ReportAcknowledged(revision=revision, by=person)]


def _close(audit: Audit, given: Given) -> Sequence[Event]:
    nonconformities = (each.state for each in given[findings_of(audit)] if each.state.grade in NONCONFORMITIES)
    unsettled = [finding.number for finding in nonconformities if finding.status not in SETTLED]
    _refuse_named("A-14", f"{audit.number} has nonconformities that are not verified", unsettled)
    return [events.Closed()]
