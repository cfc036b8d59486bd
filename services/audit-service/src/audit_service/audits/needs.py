"""What decisions about an audit must know: its team's duties, its findings, and what earlier audits left."""

from collections.abc import Iterable
from typing import Any

from audit_service.audits.commands import (
    ChangeTeam,
    Close,
    Command,
    CorrectReport,
    IssueReport,
    Plan,
    Prepare,
    Resume,
    Revise,
    Start,
)
from audit_service.audits.state import Audit
from audit_service.audits.values import AuditPlan
from audit_service.findings.state import Finding
from audit_service.follow_up_items.state import FollowUpItem
from audit_service.role_holders.aggregate import duties_held_by
from events.kernel import AllWhere, Need, NextNumber

NUMBER = NextNumber("AUD")


def needs(audit: Audit, command: Command) -> Iterable[Need[Any]]:
    match command:
        case Plan(lead=lead, members=members):
            return [NUMBER, *_independence_of(*((lead,) if lead else ()), *members)]
        case ChangeTeam(lead=lead, members=members):
            return _independence_of(lead, *members)
        case Revise() | Start() | Resume():
            return _independence_of(*audit.team)
        case Prepare():
            return [open_items(), *previous_findings(audit.plan)]
        case IssueReport() | CorrectReport():
            return [findings_of(audit), open_items()]
        case Close():
            return [findings_of(audit)]
        case _:
            return []


def _independence_of(*team: str) -> list[Need[Any]]:
    return [open_items(), *(duties_held_by(person) for person in dict.fromkeys(team))]


def findings_of(audit: Audit) -> AllWhere[Finding]:
    return _findings("audit", str(audit.audit))


def previous_findings(plan: AuditPlan) -> tuple[AllWhere[Finding], ...]:
    """By service, and by clause for the findings that concern no single service, or where the scope names none."""
    by_service = (_findings("service", service) for service in plan.scope.services)
    by_clause = (_findings("clause", clause) for clause in sorted({each.clause for each in plan.criteria}))
    return (*by_service, *by_clause)


def _findings(field: str, wanted: str) -> AllWhere[Finding]:
    return AllWhere(Finding, ((field, wanted),))


def open_items() -> AllWhere[FollowUpItem]:
    return AllWhere(FollowUpItem, (("status", "open"),))
