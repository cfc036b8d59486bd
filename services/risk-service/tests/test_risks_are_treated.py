"""A treatment runs from its plan over its actions to an evaluated effect (K-04)."""

from dataclasses import replace
from datetime import date

from risks_at_meridian import ASSESS_12, FIRST_DONE, R017, SECOND_DONE, SECOND_LINE, given, names, only, played

from risk_service.risks.commands import CompleteTreatmentAction, EvaluateTreatment, PlanTreatment
from risk_service.risks.events import FoundAboveLimit
from risk_service.risks.state import Status
from risk_service.risks.values import Option, Rating
from risk_service.words import Trigger


def test_treatment_runs_from_plan_over_actions_to_an_evaluated_effect() -> None:
    history = played(R017, ASSESS_12, SECOND_LINE)
    assert given(*history).state.status is Status.TREATING
    achieved = EvaluateTreatment(current=Rating(likelihood=2, impact=4), rationale="switched over twice")
    given(*history).when(achieved).then_refused("not all actions", rule="K-04")
    history = played(R017, ASSESS_12, SECOND_LINE, FIRST_DONE, SECOND_DONE)
    outcome = given(*history).when(achieved)
    assert names(outcome) == ["Assessed", "TreatmentEvaluated"]
    assert (outcome.state.level, outcome.state.status) == (8, Status.MONITORED)
    assert outcome.state.latest.trigger is Trigger.TREATMENT
    assert outcome.events[1].effective


def test_a_treatment_that_did_not_help_leaves_the_risk_above_its_limit_and_says_so() -> None:
    history = played(R017, ASSESS_12, SECOND_LINE, FIRST_DONE, SECOND_DONE)
    in_vain = EvaluateTreatment(current=Rating(likelihood=3, impact=4), rationale="both lines share one duct")
    outcome = given(*history).when(in_vain)
    assert names(outcome) == ["Assessed", "TreatmentEvaluated", "FoundAboveLimit"]
    assert not outcome.events[1].effective
    assert only(outcome, FoundAboveLimit).assessment == 2
    assert outcome.state.status is Status.EVALUATED


def test_a_plan_needs_actions_that_lie_ahead_and_make_nothing_worse() -> None:
    assessed = given(*played(R017, ASSESS_12))
    same = replace(SECOND_LINE, target=ASSESS_12.current)
    assessed.when(replace(same, actions=())).then_refused("at least one action", rule="K-04", status=409)
    assessed.when(replace(SECOND_LINE, actions=())).then_refused("plan it first", rule="K-03", status=409)
    late = replace(SECOND_LINE.actions[0], due=date(2026, 5, 31))
    assessed.when(replace(SECOND_LINE, actions=(late,))).then_refused("in the past", rule="K-04", status=422)
    worse = replace(SECOND_LINE.actions[0], expected_level=15)
    assessed.when(replace(SECOND_LINE, actions=(worse,))).then_refused("worse", rule="K-03", status=422)


def test_to_retain_is_no_treatment() -> None:
    retain = PlanTreatment(option=Option.RETAIN, target=ASSESS_12.current, rationale="too dear")
    outcome = given(*played(R017, ASSESS_12)).when(retain)
    assert names(outcome) == ["TreatmentPlanned"]  # the exposure of assessment 1 was told already
    assert outcome.state.status is Status.EVALUATED
    assert names(given(*played(R017, ASSESS_12, SECOND_LINE)).when(retain)) == ["TreatmentPlanned", "FoundAboveLimit"]


def test_an_action_is_done_once_and_belongs_to_the_plan() -> None:
    history = played(R017, ASSESS_12, SECOND_LINE, FIRST_DONE)
    given(*history).when(FIRST_DONE).then_refused("done already", rule="K-04")
    unknown = CompleteTreatmentAction(action=3, evidence="a photo")
    given(*history).when(unknown).then_refused("no action 3", rule="K-04", status=422)
    given(*played(R017, ASSESS_12)).when(FIRST_DONE).then_refused("no treatment is planned", rule="K-04")
