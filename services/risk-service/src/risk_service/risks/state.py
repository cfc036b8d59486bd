"""What is true of a risk now; its status says what is being done about it (K-07)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date, datetime
from enum import StrEnum
from uuid import UUID

from events.kernel import value
from events.words import end_of
from risk_service.risks.events import (
    AcceptanceVoided,
    Accepted,
    Assessed,
    Closed,
    Event,
    FoundAboveLimit,
    Registered,
    Reopened,
    Reviewed,
    TreatmentActionCompleted,
    TreatmentEvaluated,
    TreatmentPlanned,
    TriggerHeard,
)
from risk_service.risks.values import Action, Kind, Option, Progress, Rating, Source
from risk_service.words import Trigger


class Status(StrEnum):
    """`evaluated` waits for a decision: above the limit, neither treated nor accepted."""

    ABSENT = "absent"
    IDENTIFIED = "identified"
    EVALUATED = "evaluated"
    TREATING = "treating"
    ACCEPTED = "accepted"
    MONITORED = "monitored"
    CLOSED = "closed"


@value
class Treatment:
    """The plan in force; it is under way until its effect is evaluated."""

    plan: int
    option: Option
    target: Rating
    actions: tuple[Action, ...]
    progress: Progress = Progress.PLANNED

    @property
    def under_way(self) -> bool:
        # To retain is to do nothing: above the limit that takes an acceptance, not a plan.
        return self.progress is Progress.PLANNED and self.option is not Option.RETAIN

    @property
    def open_actions(self) -> tuple[Action, ...]:
        return tuple(action for action in self.actions if action.evidence is None)


@value
class Acceptance:
    """Somebody with authority takes the risk as it was assessed, until the end of a day."""

    assessment: int
    by: str
    role: str
    reason: str
    until: date
    zone: str

    @property
    def expires_at(self) -> datetime:
        return end_of(self.until, self.zone)


@value
class Occurrence:
    """The breaches of one service on one day: one thing that happened, however many targets it missed."""

    service: str | None
    on: date


@value
class Risk:
    """One risk of the register."""

    status: Status = Status.ABSENT
    number: str = ""
    reference: str | None = None
    title: str = ""
    kind: Kind = Kind.THREAT
    source: Source = Source.ORGANIZATION
    services: tuple[str, ...] = ()
    service: str | None = None
    customer_impact: str = ""
    cause: str = ""
    event: str = ""
    consequence: str = ""
    owner: str = ""
    level: int = 0
    rank: str | None = None
    """The level as two digits, by which a list is sorted."""
    limit: int = 0
    assessments: tuple[Assessed, ...] = ()
    reviewed_on: date | None = None
    next_review: date | None = None
    review_due: bool = False
    pending: tuple[TriggerHeard, ...] = ()
    heard: tuple[UUID, ...] = ()
    breaches: tuple[Occurrence, ...] = ()
    breaches_counted: int = 0
    treatment: Treatment | None = None
    plans: int = 0
    acceptance: Acceptance | None = None
    told_above_limit: int = 0
    closed: bool = False

    @property
    def latest(self) -> Assessed:
        return self.assessments[-1]

    @property
    def assessment(self) -> int:
        """The number of the latest assessment; 0 before the first."""
        return len(self.assessments)

    @property
    def under_treatment(self) -> bool:
        return self.treatment is not None and self.treatment.under_way

    @property
    def accepted(self) -> bool:
        return self.acceptance is not None and self.acceptance.assessment == self.assessment

    @property
    def above_limit(self) -> bool:
        return self.kind is Kind.THREAT and self.level > self.limit

    @property
    def exposed(self) -> bool:
        """Above the limit, and nothing is being done about it."""
        return self.above_limit and not self.under_treatment and not self.accepted and not self.closed


def evolve(risk: Risk, happened: Event) -> Risk:
    risk = _changed(risk, happened)
    return replace(risk, status=_status_of(risk), review_due=bool(risk.pending))


def _status_of(risk: Risk) -> Status:
    if risk.closed:
        return Status.CLOSED
    if not risk.assessments:
        return Status.IDENTIFIED
    if risk.accepted:
        return Status.ACCEPTED
    if risk.under_treatment:
        return Status.TREATING
    return Status.EVALUATED if risk.above_limit else Status.MONITORED


def _changed(risk: Risk, happened: Event) -> Risk:  # noqa: C901 (one line per event)
    match happened:
        case Registered():
            return _registered(happened)
        case Assessed():
            return _assessed(risk, happened)
        case TriggerHeard():
            return _heard(risk, happened)
        case Reviewed():
            return _reviewed(risk, happened)
        case TreatmentPlanned():
            return _planned(risk, happened)
        case TreatmentActionCompleted():
            return _completed(risk, happened)
        case TreatmentEvaluated():
            assert risk.treatment is not None
            return replace(risk, treatment=replace(risk.treatment, progress=Progress.EVALUATED))
        case Accepted():
            return _accepted(risk, happened)
        case AcceptanceVoided():
            return replace(risk, acceptance=None)
        case FoundAboveLimit(assessment=assessment):
            return replace(risk, told_above_limit=assessment)
        case Closed():
            return replace(risk, closed=True, acceptance=None)
        case Reopened():
            return replace(risk, closed=False, told_above_limit=0)


def _registered(registered: Registered) -> Risk:
    return Risk(
        number=registered.number,
        reference=registered.reference,
        title=registered.title,
        kind=registered.kind,
        source=registered.source,
        services=registered.services,
        service=next(iter(registered.services), None),
        customer_impact=registered.customer_impact,
        cause=registered.cause,
        event=registered.event,
        consequence=registered.consequence,
        owner=registered.owner,
    )


def _assessed(risk: Risk, assessed: Assessed) -> Risk:
    return replace(
        risk,
        assessments=(*risk.assessments, assessed),
        level=assessed.level,
        rank=f"{assessed.level:02}",
        limit=assessed.limit,
        reviewed_on=assessed.reviewed_on,
        next_review=assessed.next_review,
        breaches_counted=assessed.breaches_counted,
        pending=_without(risk, assessed.settles),
    )


def _reviewed(risk: Risk, reviewed: Reviewed) -> Risk:
    return replace(
        risk,
        pending=_without(risk, reviewed.settles),
        reviewed_on=reviewed.reviewed_on,
        next_review=reviewed.next_review,
    )


def _heard(risk: Risk, heard: TriggerHeard) -> Risk:
    risk = replace(risk, heard=(*risk.heard, heard.cause), pending=(*risk.pending, heard))
    occurrence = Occurrence(service=heard.service, on=heard.on)
    if heard.trigger is not Trigger.BREACH or occurrence in risk.breaches:
        return risk
    return replace(risk, breaches=(*risk.breaches, occurrence), breaches_counted=risk.breaches_counted + 1)


def _without(risk: Risk, settled: Iterable[UUID]) -> tuple[TriggerHeard, ...]:
    return tuple(each for each in risk.pending if each.cause not in tuple(settled))


def _planned(risk: Risk, planned: TreatmentPlanned) -> Risk:
    treatment = Treatment(plan=planned.plan, option=planned.option, target=planned.target, actions=planned.actions)
    told = 0 if treatment.under_way else risk.told_above_limit
    return replace(risk, treatment=treatment, plans=planned.plan, told_above_limit=told)


def _completed(risk: Risk, completed: TreatmentActionCompleted) -> Risk:
    assert risk.treatment is not None
    actions = tuple(
        replace(action, evidence=completed.evidence) if action.number == completed.action else action
        for action in risk.treatment.actions
    )
    return replace(risk, treatment=replace(risk.treatment, actions=actions))


def _accepted(risk: Risk, accepted: Accepted) -> Risk:
    acceptance = Acceptance(
        assessment=accepted.assessment,
        by=accepted.by,
        role=accepted.role,
        reason=accepted.reason,
        until=accepted.until,
        zone=accepted.zone,
    )
    return replace(risk, acceptance=acceptance, told_above_limit=0)


# --- when must somebody look again, and what may nobody else hold? ---------------------------------------------------


def review_due_at(risk: Risk) -> datetime | None:
    """The end of the day by which the risk must be reviewed; None once that was noticed."""
    noticed = any(each.trigger is Trigger.REVIEW_DATE for each in risk.pending)
    if risk.next_review is None or noticed:
        return None
    return end_of(risk.next_review, risk.latest.zone)


def deadline(risk: Risk) -> datetime | None:
    """The earlier of the acceptance's expiry and the review date."""
    if risk.closed:
        return None
    expiry = risk.acceptance.expires_at if risk.acceptance else None
    return min((each for each in (expiry, review_due_at(risk)) if each), default=None)


def claims(risk: Risk) -> Iterable[str]:
    """A name in another register belongs to one risk."""
    return (f"risk-reference:{risk.reference}",) if risk.reference else ()
