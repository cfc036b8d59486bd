"""Corrective actions over HTTP; nobody opens one here, because policy does when something happened."""

from datetime import date, datetime
from uuid import UUID

from chassis.routes import Listing, Routes
from contracts.improvement import Source
from events.kernel import value
from events.words import day_of
from improvement_service.corrective_actions import commands
from improvement_service.corrective_actions.aggregate import corrective_actions
from improvement_service.corrective_actions.lateness import deadline, overdue
from improvement_service.corrective_actions.state import CorrectiveAction, Status
from improvement_service.corrective_actions.values import (
    Correction,
    Cycle,
    DueChange,
    Entry,
    Escalation,
    Extension,
)
from improvement_service.policies.rules import Priority

# --- what readers see ------------------------------------------------------------------------------------------------


@value
class ActionView:
    """A corrective action as readers see it: what depends on the clock is derived at the moment of reading."""

    number: str
    status: Status
    priority: Priority | None
    service: str | None
    clause: str | None
    sources: tuple[Source, ...]
    """What belongs to the action now; `entries` say under which terms, `former` what was withdrawn from it."""
    entries: tuple[Entry, ...]
    former: tuple[Entry, ...]
    owner_role: str | None
    owner: str | None
    due: date | None
    original_due: date | None
    overdue: bool
    overdue_days: int
    age_days: int
    next_deadline: datetime | None
    dues: tuple[DueChange, ...]
    extension_count: int
    extensions: tuple[Extension, ...]
    escalations: tuple[Escalation, ...]
    cancellation_asked: bool
    earliest_verification: date | None
    corrections: tuple[Correction, ...]
    cycle: int
    cycles: tuple[Cycle, ...]
    measured_by: UUID | None
    closed_at: datetime | None


def view(action: CorrectiveAction, now: datetime) -> ActionView:
    late = overdue(action, now)
    plan, window = action.cycle.plan, action.cycle.window
    return ActionView(
        number=action.number,
        status=action.status,
        priority=action.priority,
        service=action.service,
        clause=action.clause,
        sources=action.sources,
        entries=action.entries,
        former=action.former,
        owner_role=action.owner_role,
        owner=action.owner,
        due=action.due,
        original_due=action.original_due,
        overdue=late,
        overdue_days=(_day(action, now) - action.due).days if late and action.due else 0,
        age_days=_age_days(action, now),
        next_deadline=deadline(action),
        dues=action.dues,
        extension_count=sum(1 for each in action.extensions if each.approved),
        extensions=action.extensions,
        escalations=action.escalations,
        cancellation_asked=action.cancellation_asked,
        earliest_verification=window.earliest if window else None,
        corrections=action.corrections,
        cycle=action.cycle.number,
        cycles=action.cycles,
        measured_by=plan.measured_by if plan else None,
        closed_at=action.closed_at,
    )


def _age_days(action: CorrectiveAction, now: datetime) -> int:
    """Days since the eldest source occurred, until the action was over."""
    if not action.entries:
        return 0
    return (_day(action, action.closed_at or now) - _day(action, action.entries[0].at)).days


def _day(action: CorrectiveAction, at: datetime) -> date:
    return day_of(at, action.terms.time_zone)


# --- routes ----------------------------------------------------------------------------------------------------------

routes = Routes(
    aggregate=corrective_actions,
    path="corrective-actions",
    noun="corrective action",
    read="action.read",
    listing=Listing(
        filters=("status", "priority", "owner", "owner_role", "service", "clause", "number"), sorts=("due",)
    ),
    view=view,
)
routes.act(
    "owner",
    commands.Assign,
    permission="action.assign",
    summary="Name the person who answers for an action",
    example={"owner": "p-ruiz", "reason": "Holds the role of service level manager."},
)
routes.act(
    "corrections",
    commands.Contain,
    permission="action.work",
    summary="Record what was done about the effect",
    example={"correction": "Interim targets for SVC-MAIL agreed with Halden Bank by letter."},
)
routes.act(
    "need",
    commands.DecideNeed,
    permission="action.work",
    summary="Decide whether the cause must be acted on",
    example={"needed": True, "rationale": "The same gap can leave any new service without an SLA."},
)
routes.act(
    "analyses",
    commands.Analyse,
    permission="action.work",
    summary="Record the causes and how they were found",
    example={
        "method": "five-whys",
        "chain": [
            "SVC-MAIL has no SLA, because nobody drafted one.",
            "Nobody drafted one, because onboarding did not ask for it.",
            "Onboarding did not ask, because its checklist has no SLA gate.",
        ],
        "causes": [
            {"key": "cause-1", "statement": "The onboarding checklist has no SLA gate.", "verified": True},
        ],
    },
)
routes.act(
    "extents",
    commands.CheckExtent,
    permission="action.work",
    summary="Record whether the same exists or could occur elsewhere",
    example={
        "exists_elsewhere": True,
        "could_occur": True,
        "services": ["SVC-NET", "SVC-DNS"],
        "links": ["service catalogue v7"],
        "answer": "All 14 services were compared with the register of SLAs: 2 more have none.",
    },
)
routes.act(
    "plans",
    commands.MakePlan,
    permission="action.work",
    summary="Propose tasks, and how their effect will be judged",
    example={
        "tasks": [
            {
                "key": "task-1",
                "cause": "cause-1",
                "what": "Agree SLAs for SVC-MAIL, SVC-NET and SVC-DNS.",
                "expected_result": "Three SLAs are active.",
                "owner": "p-ruiz",
                "due": "2026-04-15",
            },
        ],
        "criterion": {
            "statement": "No service is without an active SLA for 60 days.",
            "measure": "services-without-sla",
            "threshold": "0",
            "window_days": 60,
            "verifier": "p-weiss",
        },
    },
)
routes.act(
    "plan-decision",
    commands.DecidePlan,
    permission="action.approve",
    summary="Approve a plan of somebody else, or send it back",
    example={"approved": True, "reason": "Removes the cause, and the criterion can be measured."},
)
routes.act(
    "completions",
    commands.Complete,
    permission="action.work",
    summary="Report an own task as done",
    example={"task": "task-1", "evidence": "SLA-7, SLA-8 and SLA-9 are signed and active."},
)
routes.act(
    "verification",
    commands.Verify,
    permission="action.verify",
    summary="Give the verdict on the effect",
    example={"verdict": "effective", "evidence": "The count of services without SLA stayed 0 for 60 days."},
)
routes.act(
    "extensions",
    commands.AskExtension,
    permission="action.work",
    summary="Ask for more time",
    example={"until": "2026-07-31", "reason": "TeleNord signs after its board meets on 2026-07-20."},
)
routes.act(
    "extension-decision",
    commands.DecideExtension,
    permission="action.approve",
    summary="Give somebody else more time, or not",
    example={"approved": True, "reason": "The interim targets hold until then."},
)
routes.act(
    "cancellation-decision",
    commands.DecideCancellation,
    permission="action.approve",
    summary="Cancel an action whose sources are gone, or let it go on",
    example={"approved": True, "reason": "The finding was withdrawn after the dispute."},
)
