"""Nobody audits own work: neither a service that one answered for, nor an action that one owns (A-06).

Asked when auditors are assigned, and again when the audit starts: duties and actions may have changed in between. Who
prepared evidence is asked when it is brought (team.py).
"""

from calendar import monthrange
from collections.abc import Iterable
from datetime import date

from audit_service.audits.needs import open_items
from audit_service.audits.values import AuditPlan
from audit_service.role_holders.aggregate import duties_held_by
from audit_service.role_holders.domain import spelled
from duties.assignments import Assignment
from events.kernel import Given, Refused
from events.words import day_of

INVOLVED = frozenset(
    {
        "service-owner",
        "deputy-service-owner",
        "service-operator",
        "service-manager",
        "service-level-manager",
        "process-owner",
        "implementer",
    }
)
"""The duties that make a service one's own work; auditing it, or buying it as a customer, does not."""

LONGEST_LOOK_BACK = 120


def months_before(day: date, months: int) -> date:
    """The same day of an earlier month, or that month's last where it has no such day."""
    year, month = divmod(day.year * 12 + day.month - 1 - months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def refuse_dependent(team: Iterable[str], plan: AuditPlan, given: Given, start: date | None = None) -> None:
    """Refuse a team of which somebody has own work in scope; while the scope is still open, nobody has."""
    if plan.scope.named:
        team = tuple(team)
        _refuse_own_service(team, plan, given, start)
        _refuse_own_action(team, plan, given)


def _refuse_own_service(team: Iterable[str], plan: AuditPlan, given: Given, start: date | None) -> None:
    """Refuse who answered for a service in scope, from the look-back to the audit's end.

    An audit that takes longer than planned has not ended yet.
    """
    today = day_of(given.at, plan.zone)
    start = start or plan.starts_on or today
    first, last = months_before(start, plan.look_back_months), max(start, plan.ends_on or start, today)
    for person in team:
        duties = given.only(duties_held_by(person))
        for duty in duties.assignments:
            if duty.role in INVOLVED and duty.touches(first, last) and plan.scope.reaches(duty.service):
                raise _not_independent(duty, plan, start)


def _not_independent(duty: Assignment, plan: AuditPlan, start: date) -> Refused:
    service, months = duty.service or ", ".join(plan.scope.services) or "any service", plan.look_back_months
    return Refused(
        f"{duty.person} cannot audit {service} from {start}: {spelled(duty)}, within a look-back of {months} months",
        rule="A-06",
        person=duty.person,
        role=duty.role,
        service=service,
        since=duty.since,
        until=duty.until,
    )


def _refuse_own_action(team: Iterable[str], plan: AuditPlan, given: Given) -> None:
    """Refuse who owns an action that this audit would have to follow up."""
    team = frozenset(team)
    for item in (each.state for each in given[open_items()]):
        if item.owner in team and plan.scope.reaches(item.service):
            raise Refused(
                f"{item.owner} owns {item.action_number}, which this audit follows up",
                rule="A-06",
                person=item.owner,
                corrective_action=item.action_number,
                service=item.service,
            )
