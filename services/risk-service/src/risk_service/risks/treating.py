"""Treating a risk: an option, actions with owner and due date, and the level expected of them (K-04)."""

from collections.abc import Sequence

from events.kernel import Given, Refused, Unacceptable
from events.words import day_of
from risk_service.risks.assessing import gain, refuse_unfounded_residual
from risk_service.risks.commands import CompleteTreatmentAction, PlanTreatment
from risk_service.risks.events import TreatmentActionCompleted, TreatmentPlanned
from risk_service.risks.state import Risk
from risk_service.risks.values import Action, Option, PlannedAction


def plan_treatment(risk: Risk, plan: PlanTreatment, given: Given) -> Sequence[TreatmentPlanned]:
    refuse_unfounded_residual(risk, risk.latest.current, plan.target, acted_upon=bool(plan.actions))
    if plan.option is not Option.RETAIN and not plan.actions:
        raise Refused(f"to {plan.option} a risk takes at least one action", rule="K-04")
    for action in plan.actions:
        _refuse_pointless(risk, action, given)
    planned = TreatmentPlanned(
        plan=risk.plans + 1,
        option=plan.option,
        target=plan.target,
        actions=tuple(Action(number=number, planned=each) for number, each in enumerate(plan.actions, start=1)),
        rationale=plan.rationale,
        by=given.by.person,
        at=given.at,
    )
    return [planned]


def _refuse_pointless(risk: Risk, action: PlannedAction, given: Given) -> None:
    if action.due < day_of(given.at, risk.latest.zone):
        raise Unacceptable(f"{action.title}: due in the past", rule="K-04", due=action.due)
    if gain(risk.kind, risk.level, action.expected_level) < 0:
        raise Unacceptable(
            f"{action.title}: expected to make it worse",
            rule="K-03",
            current=risk.level,
            expected=action.expected_level,
        )


def complete_action(risk: Risk, complete: CompleteTreatmentAction, given: Given) -> Sequence[TreatmentActionCompleted]:
    if risk.treatment is None:
        raise Refused("no treatment is planned", rule="K-04")
    action = next((each for each in risk.treatment.actions if each.number == complete.action), None)
    if action is None:
        raise Unacceptable(f"the plan has no action {complete.action}", rule="K-04")
    if action.evidence is not None:
        raise Refused(f"action {action.number} is done already", rule="K-04", evidence=action.evidence)
    done = TreatmentActionCompleted(action=complete.action, evidence=complete.evidence, by=given.by.person, at=given.at)
    return [done]
