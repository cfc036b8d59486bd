"""The audit of ERP at Meridian, as the tests of audits know it: plans, duties, findings, and histories."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from audit_service.audits.aggregate import audits
from audit_service.audits.commands import IssueReport
from audit_service.audits.events import (
    FieldworkCompleted,
    FollowUpBegun,
    Planned,
    Prepared,
    ReportIssued,
    ResultRecorded,
    Started,
)
from audit_service.audits.needs import NUMBER, findings_of, open_items, previous_findings
from audit_service.audits.state import Audit
from audit_service.audits.values import AuditPlan, Report, Result, Scope, Verdict
from audit_service.evidence import Criterion, Evidence, Method
from audit_service.findings.state import Finding
from audit_service.findings.state import Status as FindingStatus
from audit_service.follow_up_items.state import FollowUpItem
from audit_service.follow_up_items.state import Status as ItemStatus
from audit_service.role_holders.aggregate import duties_held_by
from contracts.audit import Grade
from duties import Assignment, Duties
from events.kernel import Found, Need, derived_id
from events.testing import STREAM, scenarios

given = scenarios(audits, by="j-weiss", at="2026-04-20T09:00:00+02:00").knowing({NUMBER: 1, open_items(): ()})
SLM = Criterion(standard="ISO/IEC 20000-1", edition="2018", clause="8.3.3")
AVAILABILITY = Criterion(standard="ISO/IEC 20000-1", edition="2018", clause="8.7.1")
ERP_AUDIT = AuditPlan(
    title="ERP operations",
    objectives=("See whether the agreed availability is kept",),
    criteria=(SLM, AVAILABILITY),
    scope=Scope(services=("SVC-ERP",), period_from=date(2025, 4, 1), period_to=date(2026, 3, 31)),
    method="Examination, interviews",
    starts_on=date(2026, 4, 20),
    ends_on=date(2026, 4, 24),
    zone="Europe/Berlin",
    look_back_months=12,
)
LOGBOOK = Evidence(
    source="Operations log 2026-03",
    method=Method.EXAMINE,
    sample_size=31,
    population=31,
    collected_at=datetime(2026, 4, 20, 6, tzinfo=UTC),
    collector="j-weiss",
)


def duty(person: str, role: str, since: date, until: date | None = None, service: str | None = "SVC-ERP") -> Assignment:
    name = derived_id(person, role, since)
    return Assignment(assignment=name, person=person, role=role, service=service, since=since, until=until)


BRANDT_OPERATED_ERP = duty("l-brandt", "service-operator", date(2024, 1, 1), date(2025, 11, 30))
WEISS_AUDITS = duty("j-weiss", "auditor", date(2023, 1, 1), service=None)
WEISS_DEPUTY = duty("j-weiss", "deputy-service-owner", date(2026, 4, 18))


def knowing_duties(*assignments: Assignment) -> Mapping[Need[Any], Any]:
    """What is known of the duties of three auditors."""
    known: dict[Need[Any], Any] = {}
    for person in ("l-brandt", "j-weiss", "t-keller"):
        own = tuple(each for each in assignments if each.person == person)
        holder = found("holder of " + person, Duties(person=person, assignments=own))
        known[duties_held_by(person)] = (holder,) if own else ()
    return known


def found(name: str, state: Any) -> Found[Any]:
    return Found(id=derived_id(name), version=1, state=state)


def left_by_earlier_audits(plan: AuditPlan, *findings: Found[Finding]) -> Mapping[Need[Any], Any]:
    """Each finding as the reads by service and by clause would find it."""
    by_service, by_clause = plan.scope.services, sorted({each.clause for each in plan.criteria})
    wanted = [("service", each) for each in by_service] + [("clause", each) for each in by_clause]
    return {
        need: tuple(each for each in findings if getattr(each.state, field) == wished)
        for need, (field, wished) in zip(previous_findings(plan), wanted, strict=True)
    }


def planned(plan: AuditPlan = ERP_AUDIT, lead: str | None = "j-weiss", *members: str) -> Planned:
    return Planned(audit=STREAM, number="AUD-1", plan=plan, lead=lead, members=members)


def result(criterion: Criterion, outcome: Verdict = Verdict.CONFORM) -> ResultRecorded:
    return ResultRecorded(
        result=Result(criterion=criterion, outcome=outcome, reason=None, evidence=(LOGBOOK,), recorded_by="j-weiss")
    )


def report(revision: int = 1, *recipients: str, at: str = "2026-04-24T15:00:00+02:00") -> Report:
    return Report(
        revision=revision,
        issued_at=datetime.fromisoformat(at),
        issued_by="j-weiss",
        recipients=recipients or ("h-lindqvist",),
        summary="One minor nonconformity",
        findings=(),
        correction=None,
    )


prepared = Prepared(previous_findings=(), follow_up_items=())
started = Started(on=date(2026, 4, 20))
conducted = (planned(), prepared, started, result(SLM), result(AVAILABILITY))
fieldwork_done = (*conducted, FieldworkCompleted())
reported = (*fieldwork_done, ReportIssued(report=report()))
in_follow_up = (*reported, FollowUpBegun())
NOTHING_FOUND = {findings_of(Audit(audit=STREAM)): (), open_items(): ()}
ISSUE = IssueReport(recipients=("h-lindqvist", "m-ruiz"), summary="One minor nonconformity")


def of_this_audit(
    name: str, status: FindingStatus, grade: Grade = Grade.MINOR, clause: str = "8.3.3"
) -> Found[Finding]:
    finding = Finding(status=status, number=name, audit=STREAM, edition=SLM.norm, clause=clause, grade=grade)
    return found(name, replace(finding, service="SVC-ERP"))


def with_findings(*findings: Found[Finding]) -> Mapping[Need[Any], Any]:
    return {**NOTHING_FOUND, findings_of(Audit(audit=STREAM)): findings}


def earlier(
    name: str, status: FindingStatus, service: str | None, clause: str = "8.3.3", edition: str = "ISO/IEC 20000-1:2018"
) -> Found[Finding]:
    audit = derived_id("an earlier audit")
    finding = Finding(status=status, number=name, audit=audit, edition=edition, clause=clause, service=service)
    return found(name, finding)


def item(name: str, service: str | None, owner: str | None = None) -> Found[FollowUpItem]:
    return found(name, FollowUpItem(status=ItemStatus.OPEN, action_number=name, service=service, owner=owner))


PROCESS_AUDIT = replace(ERP_AUDIT, scope=replace(ERP_AUDIT.scope, services=(), processes=("Service level management",)))
