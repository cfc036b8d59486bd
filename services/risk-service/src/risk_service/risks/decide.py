"""What may be done about a risk, and what follows from it by itself."""

from collections.abc import Iterable, Sequence
from typing import Any

from duties import duties_of
from events.kernel import Due, Given, Need, NextNumber, Refused, Unacceptable
from events.words import day_of
from risk_service.criteria.aggregate import CRITERIA
from risk_service.risks.accepting import accept, expire
from risk_service.risks.assessing import assess, evaluate_treatment, fall_due, review
from risk_service.risks.commands import (
    Accept,
    Assess,
    Close,
    Command,
    CompleteTreatmentAction,
    EvaluateTreatment,
    PlanTreatment,
    Reconsider,
    Register,
    Reopen,
    Review,
)
from risk_service.risks.events import Closed, Event, Registered, Reopened, TriggerHeard
from risk_service.risks.following import with_consequences
from risk_service.risks.reconsidering import reconsider
from risk_service.risks.standing import assessed, present, still_open
from risk_service.risks.state import Risk, Status
from risk_service.risks.treating import complete_action, plan_treatment
from risk_service.risks.values import Source
from risk_service.words import Trigger

NUMBER = NextNumber("R")


def needs(_risk: Risk, command: Command) -> Iterable[Need[Any]]:
    match command:
        case Register():
            return (NUMBER,)
        case Assess() | EvaluateTreatment() | Review() | Reconsider():
            return (CRITERIA,)
        case Accept(approver=approver):
            return (CRITERIA, duties_of(approver))
        case _:
            return []


def decide(risk: Risk, command: Command, given: Given) -> Sequence[Event]:
    return with_consequences(risk, _decided(risk, command, given))


def _decided(risk: Risk, command: Command, given: Given) -> Sequence[Event]:  # noqa: C901 (one line per command)
    match command:
        case Register():
            return _register(risk, command, given)
        case Assess():
            return assess(still_open(risk), command, given)
        case PlanTreatment():
            return plan_treatment(assessed(risk), command, given)
        case CompleteTreatmentAction():
            return complete_action(assessed(risk), command, given)
        case EvaluateTreatment():
            return evaluate_treatment(assessed(risk), command, given)
        case Accept():
            return accept(assessed(risk), command, given)
        case Review():
            return review(assessed(risk), command, given)
        case Close():
            return _close(still_open(risk), command, given)
        case Reopen():
            return _reopen(present(risk), command, given)
        case Reconsider():
            return reconsider(risk, command, given)
        case Due():
            return sorted([*expire(risk, given), *fall_due(risk, given)], key=lambda happened: happened.at)


def _register(risk: Risk, register: Register, given: Given) -> Sequence[Event]:
    if risk.status is not Status.ABSENT:
        raise Refused("this risk is registered already", rule="K-02", number=risk.number)
    if len(set(register.services)) < len(register.services):
        raise Unacceptable("a service is named twice", rule="K-02", services=register.services)
    if register.source is Source.UNMET_SERVICE_REQUIREMENT and not register.services:
        raise Unacceptable("an unmet service requirement is one of some service: name it", rule="K-02")
    registered = Registered(
        number=f"R-{given[NUMBER]}",
        reference=register.reference,
        title=register.title,
        kind=register.kind,
        source=register.source,
        services=register.services,
        customer_impact=register.customer_impact,
        cause=register.cause,
        event=register.event,
        consequence=register.consequence,
        owner=register.owner,
        by=given.by.person,
        at=given.at,
    )
    return [registered]


def _close(risk: Risk, close: Close, given: Given) -> Sequence[Event]:
    if risk.exposed:
        raise Refused(
            f"level {risk.level} lies above the limit of {risk.limit}: assess, treat or accept the risk first",
            rule="K-07",
            level=risk.level,
            limit=risk.limit,
        )
    if risk.under_treatment:
        raise Refused("its treatment is under way: evaluate what it achieved first", rule="K-04")
    if risk.pending:
        triggers = tuple(each.because for each in risk.pending)
        raise Refused("it waits to be reviewed or assessed", rule="K-06", triggers=triggers)
    return [Closed(reason=close.reason, by=given.by.person, at=given.at)]


def _reopen(risk: Risk, reopen: Reopen, given: Given) -> Sequence[Event]:
    if risk.status is not Status.CLOSED:
        raise Refused(f"this risk is {risk.status}, not closed", rule="K-07", status=risk.status)
    reopened = Reopened(reason=reopen.reason, by=given.by.person, at=given.at)
    if not risk.assessments:
        return [reopened]
    asks_for_assessment = TriggerHeard(
        trigger=Trigger.REOPENED,
        cause=given.new_id("reopened"),
        because=reopen.reason,
        service=None,
        on=day_of(given.at, risk.latest.zone),
        at=given.at,
    )
    return [reopened, asks_for_assessment]
