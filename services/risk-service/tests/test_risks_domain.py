"""A risk is registered, assessed, treated or accepted, watched and closed (K-02 to K-07); scenario 12."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from contracts import risk as contract
from duties import Assignment, Duties, duties_of
from events.codec import codec_of, state_from_json, to_json
from events.kernel import Due, Found, Need, NextNumber, derived_id
from events.testing import Outcome, scenarios
from risk_service.criteria.aggregate import CRITERIA
from risk_service.criteria.domain import Criteria, InForce
from risk_service.criteria.domain import Status as CriteriaStatus
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import (
    Accept,
    Assess,
    Close,
    CompleteTreatmentAction,
    EvaluateTreatment,
    PlanTreatment,
    Reconsider,
    Register,
    Reopen,
    Review,
)
from risk_service.risks.events import AcceptanceVoided, Assessed, FoundAboveLimit, Reviewed
from risk_service.risks.state import Risk, Status
from risk_service.risks.values import Kind, Option, PlannedAction, Rating, Source
from risk_service.words import Trigger

# R-017 of scenario 12: owner Ruiz, accepted by the CIO, Lindqvist.
R017 = Register(
    title="Single internet provider at DC2",
    source=Source.OTHER_PARTY,
    services=("SVC-NET",),
    customer_impact="All customers at DC2 lose their connection",
    cause="One line from TeleNord",
    event="The line fails",
    consequence="No service from DC2",
    owner="p-ruiz",
    reference="R-017",
)
ASSESS_12 = Assess(
    inherent=Rating(likelihood=4, impact=4), current=Rating(likelihood=3, impact=4), rationale="two failures in 3 years"
)
ACCEPT = Accept(approver="p-lindqvist", assessment=1, reason="second line is budgeted", until=date(2026, 9, 30))
JUNE_12 = datetime.fromisoformat("2026-06-12T14:03:00+02:00")


def duty(person: str, role: str, service: str | None = None, until: date | None = None) -> Found[Duties]:
    since, name = date(2024, 1, 1), derived_id(person, role)
    held = Assignment(assignment=name, person=person, role=role, service=service, since=since, until=until)
    return Found(id=derived_id(person), version=1, state=Duties(person=person, assignments=(held,)))


def in_force(criteria: Criteria) -> dict[Need[Any], Any]:
    published = InForce(status=CriteriaStatus.PUBLISHED, version=3, criteria=criteria)
    return {CRITERIA: (Found(id=derived_id("criteria"), version=3, state=published),)}


given = scenarios(risks, by="p-ruiz", at="2026-06-01T09:00:00+02:00").knowing(
    {
        NextNumber("R"): 1,
        CRITERIA: (),
        duties_of("p-lindqvist"): (duty("p-lindqvist", "cio"),),
        duties_of("p-top"): (duty("p-top", "top-management"),),
        duties_of("p-ruiz"): (duty("p-ruiz", "cio"),),
        duties_of("p-nobody"): (duty("p-nobody", "service-owner"),),
        duties_of("p-unheard"): (),
    }
)


def breach(on: datetime = JUNE_12, name: str = "SLA-3 availability 2026-06", service: str = "SVC-NET") -> Reconsider:
    return Reconsider(trigger=Trigger.BREACH, cause=derived_id(name, on), because=name, service=service, happened_at=on)


def heard(trigger: Trigger, because: str = "AUD-2026-07-F1") -> Reconsider:
    return Reconsider(
        trigger=trigger, cause=derived_id(trigger, because), because=because, service="SVC-NET", happened_at=JUNE_12
    )


def played(*steps: Any) -> list[Any]:
    """The events of these commands, one after the other; an acceptance comes from its approver."""
    history: list[Any] = []
    for step in steps:
        actor = step.approver if isinstance(step, Accept) else "p-ruiz"
        outcome = given(*history).acting(actor).when(step)
        assert outcome.refusal is None, outcome.refusal
        history += outcome.events
    return history


def names(outcome: Outcome[Risk]) -> list[str]:
    assert outcome.refusal is None, outcome.refusal
    return [type(each).__name__ for each in outcome.events]


def only(outcome: Outcome[Risk], kind: type[Any]) -> Any:
    (found,) = [each for each in outcome.events if isinstance(each, kind)]
    return found


# --- the register (K-02) ---------------------------------------------------------------------------------------------


def test_a_registered_risk_is_identified_and_told_to_the_services_it_concerns() -> None:
    outcome = given().when(R017)
    assert (outcome.state.status, outcome.state.number, outcome.state.service) == (Status.IDENTIFIED, "R-1", "SVC-NET")
    outcome.then_announced(
        contract.RiskRegistered(
            number="R-1", reference="R-017", title=R017.title, services=("SVC-NET",), owner="p-ruiz"
        )
    )


def test_a_reference_of_another_register_belongs_to_one_risk() -> None:
    assert list(risks.claims(given(*played(R017)).state)) == ["risk-reference:R-017"]
    assert list(risks.claims(given(*played(replace(R017, reference=None))).state)) == []


def test_services_are_named_once_and_an_unmet_requirement_names_at_least_one() -> None:
    given().when(replace(R017, services=("SVC-NET", "SVC-NET"))).then_refused("twice", rule="K-02", status=422)
    unmet = replace(R017, source=Source.UNMET_SERVICE_REQUIREMENT, services=())
    given().when(unmet).then_refused("name it", rule="K-02", status=422)


def test_there_is_no_way_to_assess_what_is_not_registered_or_to_treat_what_is_not_assessed() -> None:
    given().when(ASSESS_12).then_refused("no such risk", status=404)
    given(*played(R017)).when(Review(reason="all as before")).then_refused("assess it first", rule="K-07")


# --- assessment (K-01, K-03) -----------------------------------------------------------------------------------------


def test_three_times_four_is_twelve_and_keeps_the_version_of_the_criteria() -> None:
    outcome = given(*played(R017)).knowing(in_force(Criteria(limit=12))).when(ASSESS_12)
    assessed = only(outcome, Assessed)
    assert (assessed.level, assessed.limit, assessed.criteria_version) == (12, 12, 3)
    assert assessed.residual == assessed.current
    assert assessed.next_review == date(2026, 11, 28)  # 2026-06-01 and the 180 days of the middle band
    assert outcome.state.status is Status.MONITORED


def test_above_the_default_limit_of_nine_somebody_must_act_and_is_told_once() -> None:
    outcome = given(*played(R017)).when(ASSESS_12)
    assert outcome.state.status is Status.EVALUATED
    outcome.then_announced(
        contract.RiskAssessed(
            number="R-1",
            title=R017.title,
            services=("SVC-NET",),
            assessment=1,
            level=12,
            limit=9,
            trigger="first-assessment",
        ),
        contract.RiskAboveLimit(
            number="R-1",
            title=R017.title,
            services=("SVC-NET",),
            assessment=1,
            level=12,
            limit=9,
            owner="p-ruiz",
        ),
    )
    assert names(given(*played(R017, ASSESS_12)).when(Review(reason="still so"))) == ["Reviewed"]


def test_a_residual_level_above_the_current_one_is_refused() -> None:
    worse = replace(ASSESS_12, residual=Rating(likelihood=4, impact=4))
    given(*played(R017)).when(worse).then_refused("worse than the current", rule="K-03", status=422)


def test_a_lower_residual_level_takes_a_treatment_with_actions() -> None:
    hopeful = replace(ASSESS_12, residual=Rating(likelihood=2, impact=4))
    given(*played(R017)).when(hopeful).then_refused("plan it first", rule="K-03", status=409)
    assert only(given(*played(R017, ASSESS_12, SECOND_LINE)).when(hopeful), Assessed).residual.level == 8


def test_an_opportunity_is_to_rise_has_no_limit_and_is_not_accepted() -> None:
    chance = replace(R017, kind=Kind.OPPORTUNITY)
    falling = replace(ASSESS_12, residual=Rating(likelihood=2, impact=4))
    given(*played(chance)).when(falling).then_refused("worse than the current", rule="K-03", status=422)
    rising = replace(ASSESS_12, residual=Rating(likelihood=4, impact=4))
    given(*played(chance)).when(rising).then_refused("plan it first", rule="K-03", status=409)
    history = played(chance, ASSESS_12)
    assert given(*history).state.status is Status.MONITORED
    given(*history).acting("p-lindqvist").when(ACCEPT).then_refused("not accepted", rule="K-05")
    waiting = given(*history).when(breach())
    assert names(waiting) == ["TriggerHeard"]
    assert waiting.state.level == 12


# --- treatment (K-04) ------------------------------------------------------------------------------------------------

SECOND_LINE = PlanTreatment(
    option=Option.MODIFY,
    target=Rating(likelihood=2, impact=4),
    actions=(
        PlannedAction(title="Order a second line", owner="p-ruiz", due=date(2026, 7, 31), expected_level=12),
        PlannedAction(title="Test the switch-over", owner="p-net", due=date(2026, 8, 31), expected_level=8),
    ),
    rationale="cheaper than one day without connection",
)
FIRST_DONE = CompleteTreatmentAction(action=1, evidence="acceptance protocol")
SECOND_DONE = CompleteTreatmentAction(action=2, evidence="test protocol")


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


# --- acceptance (K-05) -----------------------------------------------------------------------------------------------


def test_the_cio_accepts_twelve_until_the_end_of_september() -> None:
    outcome = given(*played(R017, ASSESS_12)).acting("p-lindqvist").when(ACCEPT)
    outcome.then_announced(contract.RiskAccepted(number="R-1", assessment=1, by="p-lindqvist", until=date(2026, 9, 30)))
    assert outcome.state.status is Status.ACCEPTED
    assert outcome.state.acceptance is not None
    assert outcome.state.acceptance.role == "cio"
    # The day ends at midnight in Berlin, which is 22:00 UTC in summer time.
    assert risks.deadline(outcome.state) == datetime(2026, 9, 30, 22, 0, tzinfo=UTC)


def test_somebody_without_authority_at_that_level_is_refused() -> None:
    no_duty = replace(ACCEPT, approver="p-nobody")
    given(*played(R017, ASSESS_12)).acting("p-nobody").when(no_duty).then_refused(
        "level 12 is for cio", rule="K-05", status=403
    )
    sixteen = replace(ASSESS_12, current=Rating(likelihood=4, impact=4))
    given(*played(R017, sixteen)).acting("p-lindqvist").when(ACCEPT).then_refused(
        "cio accepts up to level 12, this is 16", rule="K-05", status=403
    )


def test_a_duty_that_has_ended_or_is_for_another_service_gives_no_authority() -> None:
    for found in (
        duty("p-lindqvist", "cio", until=date(2026, 5, 31)),
        duty("p-lindqvist", "cio", service="SVC-ERP"),
    ):
        accepting = given(*played(R017, ASSESS_12)).knowing({duties_of("p-lindqvist"): (found,)})
        accepting.acting("p-lindqvist").when(ACCEPT).then_refused("is for cio", rule="K-05", status=403)
    for_net: dict[Need[Any], Any] = {duties_of("p-lindqvist"): (duty("p-lindqvist", "cio", service="SVC-NET"),)}
    by_cio = given(*played(R017, ASSESS_12)).knowing(for_net).acting("p-lindqvist")
    assert names(by_cio.when(ACCEPT)) == ["Accepted"]


def test_a_person_of_whom_nothing_is_known_yet_is_asked_to_wait() -> None:
    unheard = replace(ACCEPT, approver="p-unheard")
    given(*played(R017, ASSESS_12)).acting("p-unheard").when(unheard).then_refused("known yet", rule="P-01", status=409)


def test_the_owner_does_not_accept_an_own_risk_even_with_authority() -> None:
    own = replace(ACCEPT, approver="p-ruiz")
    given(*played(R017, ASSESS_12)).acting("p-ruiz").when(own).then_refused("owner", rule="K-05", status=403)


def test_nobody_accepts_in_the_name_of_another() -> None:
    given(*played(R017, ASSESS_12)).acting("p-nobody").when(ACCEPT).then_refused(
        "in the name of another", rule="K-05", status=403
    )


def test_an_acceptance_is_bound_to_the_assessment_in_force_given_once_and_ends_in_the_future() -> None:
    by_cio = given(*played(R017, ASSESS_12)).acting("p-lindqvist")
    by_cio.when(replace(ACCEPT, assessment=2)).then_refused("not the one in force", rule="K-05", status=409)
    yesterday = replace(ACCEPT, until=date(2026, 5, 31))
    by_cio.when(yesterday).then_refused("expired already", rule="K-05", status=422)
    again = given(*played(R017, ASSESS_12, ACCEPT)).acting("p-lindqvist")
    again.when(ACCEPT).then_refused("accepted already", rule="K-05", status=409)


def test_an_acceptance_expires_with_its_last_day_and_not_before() -> None:
    accepted = given(*played(R017, ASSESS_12, ACCEPT)).acting("system:risk")
    accepted.at("2026-09-30T23:59:59+02:00").when(Due()).then()
    outcome = accepted.at("2026-10-05T08:00:00+02:00").when(Due())
    midnight = datetime.fromisoformat("2026-10-01T00:00:00+02:00")
    outcome.then(
        AcceptanceVoided(assessment=1, reason="expired on 2026-09-30", cause=None, at=midnight),
        FoundAboveLimit(assessment=1, level=12, limit=9, at=midnight),
    )
    assert outcome.state.status is Status.EVALUATED
    due = risks.deadline(outcome.state)
    assert due == datetime.fromisoformat("2026-11-29T00:00:00+01:00")  # then the review date


def test_after_a_long_outage_expiry_and_review_are_caught_up_in_order_each_with_its_own_time() -> None:
    accepted = given(*played(R017, ASSESS_12, ACCEPT))
    outcome = accepted.at("2026-12-24T08:00:00+01:00").when(Due())
    assert [(type(each).__name__, each.at.isoformat()) for each in outcome.events] == [
        ("AcceptanceVoided", "2026-10-01T00:00:00+02:00"),
        ("FoundAboveLimit", "2026-10-01T00:00:00+02:00"),
        ("TriggerHeard", "2026-11-29T00:00:00+01:00"),
    ]
    assert risks.deadline(outcome.state) is None


# --- scenario 12: an acceptance is voided by a breach ----------------------------------------------------------------


def test_a_breach_raises_three_times_four_to_four_times_four_and_voids_the_acceptance() -> None:
    accepted = given(*played(R017, ASSESS_12, ACCEPT)).acting("system:risk").at("2026-06-12T14:05:00+02:00")
    outcome = accepted.when(breach())
    assert names(outcome) == ["TriggerHeard", "Assessed", "AcceptanceVoided", "FoundAboveLimit"]
    assert (outcome.state.latest.current, outcome.state.level) == (Rating(likelihood=4, impact=4), 16)
    assert outcome.state.status is Status.EVALUATED
    assert not outcome.state.review_due
    cause = breach().cause
    told = outcome.then_announced(
        contract.RiskAssessed(
            number="R-1",
            title=R017.title,
            services=("SVC-NET",),
            assessment=2,
            level=16,
            limit=9,
            trigger="sla-breach",
        ),
        contract.AcceptanceVoided(
            number="R-1",
            assessment=1,
            reason="assessment 1 was accepted; assessment 2 gives level 16 (sla-breach)",
            cause=cause,
        ),
        contract.RiskAboveLimit(
            number="R-1",
            title=R017.title,
            services=("SVC-NET",),
            assessment=2,
            level=16,
            limit=9,
            owner="p-ruiz",
        ),
    )
    assert told.state.acceptance is None


def test_sixteen_is_accepted_again_at_the_right_level_only() -> None:
    raised = given(*played(R017, ASSESS_12, ACCEPT, breach()))
    again = replace(ACCEPT, assessment=2)
    raised.acting("p-lindqvist").when(again).then_refused("cio accepts up to level 12", rule="K-05", status=403)
    by_top = raised.acting("p-top").when(replace(again, approver="p-top"))
    assert by_top.state.status is Status.ACCEPTED


def test_or_it_is_treated_and_then_nobody_else_is_called() -> None:
    treating = played(R017, ASSESS_12, ACCEPT, breach(), SECOND_LINE)
    assert given(*treating).state.status is Status.TREATING
    later = given(*treating).when(breach(datetime.fromisoformat("2026-07-03T10:00:00+02:00")))
    assert names(later) == ["TriggerHeard", "Assessed"]
    assert later.state.level == 20
    assert later.state.latest.residual == SECOND_LINE.target


def test_several_targets_missed_by_one_service_on_one_day_raise_the_likelihood_once() -> None:
    history = played(R017, ASSESS_12, ACCEPT, breach())
    same_day = given(*history).when(breach(name="SLA-4 availability 2026-06"))
    assert names(same_day) == ["TriggerHeard", "Reviewed"]
    assert "another breach of SVC-NET on 2026-06-12" in only(same_day, Reviewed).reason
    assert same_day.state.level == 16


def test_the_likelihood_stops_at_the_top_of_the_scale_and_an_acceptance_there_stands() -> None:
    certain = replace(ASSESS_12, current=Rating(likelihood=5, impact=4))
    accept = replace(ACCEPT, approver="p-top")
    outcome = given(*played(R017, certain, accept)).when(breach())
    assert names(outcome) == ["TriggerHeard", "Reviewed"]
    assert (outcome.state.level, outcome.state.status) == (20, Status.ACCEPTED)


def test_where_the_criteria_ask_for_two_breaches_the_first_leaves_the_level_unchanged() -> None:
    two = in_force(Criteria(breaches_per_step=2))
    accepted = played(R017, ASSESS_12, ACCEPT)
    first = given(*accepted).knowing(two).when(breach())
    assert names(first) == ["TriggerHeard", "Reviewed"]
    assert "breach 1 of the 2" in only(first, Reviewed).reason
    assert first.state.status is Status.ACCEPTED
    next_day = datetime.fromisoformat("2026-06-13T08:00:00+02:00")
    second = given(*accepted, *first.events).knowing(two).when(breach(next_day))
    assert second.state.level == 16
    assert second.state.breaches_counted == 0


def test_the_same_breach_heard_again_changes_nothing() -> None:
    given(*played(R017, ASSESS_12, ACCEPT, breach())).when(breach()).then()


def test_a_risk_that_was_never_rated_waits_for_its_first_assessment() -> None:
    waiting = given(*played(R017)).when(breach())
    assert names(waiting) == ["TriggerHeard"]
    assert waiting.state.review_due
    assessed = given(*played(R017), *waiting.events).when(ASSESS_12)
    assert not assessed.state.review_due
    assert only(assessed, Assessed).settles == (breach().cause,)


# --- other triggers (K-06) -------------------------------------------------------------------------------------------


def test_an_ineffective_action_leaves_a_new_assessment_at_the_same_level_and_asks_for_a_person() -> None:
    """Scenario 10: R-009 is re-assessed; nobody may go on counting on the action that failed."""
    outcome = given(*played(R017, ASSESS_12, ACCEPT)).when(heard(Trigger.ACTION_INEFFECTIVE, "CA-101: cycle 2"))
    assert names(outcome) == ["TriggerHeard", "Assessed", "AcceptanceVoided", "FoundAboveLimit"]
    assert (outcome.state.level, outcome.state.latest.trigger) == (12, Trigger.ACTION_INEFFECTIVE)
    assert outcome.state.review_due


def test_a_major_finding_waits_until_a_person_reviews_or_assesses() -> None:
    history = played(R017, ASSESS_12, ACCEPT, heard(Trigger.MAJOR_FINDING))
    waiting = given(*history).state
    assert (waiting.review_due, waiting.status) == (True, Status.ACCEPTED)
    unchanged = given(*history).at("2026-06-15T09:00:00+02:00").when(Review(reason="concerns the other site"))
    assert only(unchanged, Reviewed).settles == (heard(Trigger.MAJOR_FINDING).cause,)
    assert (unchanged.state.review_due, unchanged.state.status) == (False, Status.ACCEPTED)
    assert unchanged.state.next_review == date(2026, 12, 12)  # 2026-06-15 and 180 days
    anew = given(*history).when(replace(ASSESS_12, rationale="the finding concerns the same duct"))
    assert only(anew, Assessed).trigger is Trigger.MAJOR_FINDING
    assert only(anew, AcceptanceVoided).assessment == 1


def test_the_review_falls_due_at_the_end_of_its_day_once() -> None:
    history = played(R017, replace(ASSESS_12, current=Rating(likelihood=2, impact=4)))
    assert risks.deadline(given(*history).state) == datetime.fromisoformat("2026-11-29T00:00:00+01:00")
    outcome = given(*history).at("2026-11-29T00:00:00+01:00").when(Due())
    assert names(outcome) == ["TriggerHeard"]
    assert outcome.state.review_due
    assert risks.deadline(outcome.state) is None
    given(*history, *outcome.events).at("2026-12-01T00:00:00+01:00").when(Due()).then()


def test_a_raised_level_brings_the_review_forward_counted_from_the_last_look_of_a_person() -> None:
    raised = given(*played(R017, ASSESS_12, breach())).state
    assert raised.next_review == date(2026, 8, 30)  # 2026-06-01 and the 90 days of the highest band


# --- closing and reopening (K-07) ------------------------------------------------------------------------------------


def test_a_risk_is_closed_only_when_nothing_about_it_is_open() -> None:
    close = Close(reason="DC2 was given up")
    given(*played(R017, ASSESS_12)).when(close).then_refused("above the limit", rule="K-07")
    given(*played(R017, ASSESS_12, SECOND_LINE)).when(close).then_refused("under way", rule="K-04")
    waiting = played(R017, ASSESS_12, ACCEPT, heard(Trigger.MAJOR_FINDING))
    given(*waiting).when(close).then_refused("waits to be reviewed", rule="K-06")
    closed = given(*played(R017, ASSESS_12, ACCEPT)).when(close).state
    assert (closed.status, risks.deadline(closed)) == (Status.CLOSED, None)


def test_a_closed_risk_hears_nothing_and_is_reopened_with_its_history() -> None:
    history = played(R017, ASSESS_12, ACCEPT, Close(reason="DC2 was given up"))
    given(*history).when(breach()).then()
    given(*history).when(ASSESS_12).then_refused("reopen it first", rule="K-07")
    outcome = given(*history).when(Reopen(reason="DC2 is used again"))
    assert names(outcome) == ["Reopened", "FoundAboveLimit", "TriggerHeard"]
    assert (outcome.state.status, outcome.state.review_due) == (Status.EVALUATED, True)
    assert [each.level for each in outcome.state.assessments] == [12]
    given(*played(R017, ASSESS_12)).when(Reopen(reason="again")).then_refused("not closed", rule="K-07")


def test_states_and_events_hold_only_what_can_be_stored() -> None:
    history = played(R017, ASSESS_12, SECOND_LINE, FIRST_DONE, ACCEPT, breach(), heard(Trigger.MAJOR_FINDING))
    codec = codec_of(risks)
    assert [codec.decode(*codec.encode(each)) for each in history] == history
    state = given(*history).state
    assert state_from_json(risks, to_json(state)) == state


# --- other cases, worked out by hand ---------------------------------------------------------------------------------


def rated(likelihood: int, impact: int) -> Assess:
    return replace(
        ASSESS_12, inherent=Rating(likelihood=5, impact=5), current=Rating(likelihood=likelihood, impact=impact)
    )


def test_exactly_the_limit_is_watched_and_one_step_more_is_for_somebody_to_decide() -> None:
    """The default limit is 9: 3 x 3 is not above it, 2 x 5 is."""
    assert risks.fold(played(R017, rated(3, 3))).status is Status.MONITORED
    assert risks.fold(played(R017, rated(2, 5))).status is Status.EVALUATED


def test_an_acceptance_ends_with_its_day_also_when_the_clocks_change_on_it() -> None:
    """25 October 2026 has 25 hours and ends at 23:00 UTC; 28 March 2027 has 23 and ends at 22:00 UTC."""
    for until, ends in (
        (date(2026, 10, 25), datetime(2026, 10, 25, 23, tzinfo=UTC)),
        (date(2027, 3, 28), datetime(2027, 3, 28, 22, tzinfo=UTC)),
    ):
        accepted = risks.fold(played(R017, ASSESS_12, replace(ACCEPT, until=until)))
        assert accepted.acceptance is not None
        assert accepted.acceptance.expires_at == ends


def test_an_acceptance_may_end_with_the_day_on_which_it_is_given_and_not_before() -> None:
    on_1_june = given(*played(R017, ASSESS_12)).acting("p-lindqvist").at("2026-06-01T23:59:59+02:00")
    assert names(on_1_june.when(replace(ACCEPT, until=date(2026, 6, 1)))) == ["Accepted"]
    over = on_1_june.when(replace(ACCEPT, until=date(2026, 5, 31)))
    over.then_refused("expired already", rule="K-05", status=422)


def test_authority_lasts_until_the_end_of_the_last_day_of_the_duty() -> None:
    last_day: dict[Need[Any], Any] = {duties_of("p-lindqvist"): (duty("p-lindqvist", "cio", until=date(2026, 6, 1)),)}
    asked = given(*played(R017, ASSESS_12)).knowing(last_day).acting("p-lindqvist")
    assert names(asked.at("2026-06-01T23:59:59+02:00").when(ACCEPT)) == ["Accepted"]
    asked.at("2026-06-02T00:00:00+02:00").when(ACCEPT).then_refused("is for cio", rule="K-05", status=403)


def test_a_risk_of_two_services_takes_authority_over_both_and_suffers_from_each() -> None:
    """3 x 4 = 12; SVC-NET and SVC-ERP miss a target on one day: 4 x 4 = 16, 5 x 4 = 20; NET's second is none."""
    history = played(replace(R017, services=("SVC-NET", "SVC-ERP")), ASSESS_12)
    of_net, of_erp = (duty("p-lindqvist", "cio", service=each) for each in ("SVC-NET", "SVC-ERP"))
    one: dict[Need[Any], Any] = {duties_of("p-lindqvist"): (of_net,)}
    given(*history).knowing(one).acting("p-lindqvist").when(ACCEPT).then_refused("is for cio", rule="K-05")
    held = replace(of_net.state, assignments=(*of_net.state.assignments, *of_erp.state.assignments))
    both: dict[Need[Any], Any] = {duties_of("p-lindqvist"): (replace(of_net, state=held),)}
    assert names(given(*history).knowing(both).acting("p-lindqvist").when(ACCEPT)) == ["Accepted"]
    net, again = breach(), breach(name="SLA-3 evenings 2026-06")
    levels = []
    for news in (net, breach(service="SVC-ERP", name="SLA-1 availability 2026-06"), again):
        history = [*history, *given(*history).when(news).events]
        levels.append(risks.fold(history).level)
    assert levels == [16, 20, 20]


def test_the_day_of_a_breach_is_that_of_the_criterias_zone() -> None:
    """12 June 23:59:59 in Berlin is 21:59:59 UTC; a second later it is the 13th there: two days, two steps."""
    late, later = (datetime.fromisoformat(f"2026-06-12T{at}+00:00") for at in ("21:59:59", "22:00:00"))
    history = played(R017, ASSESS_12, breach(late, "availability"), breach(later, "availability"))
    assert risks.fold(history).level == 20
    same = played(R017, ASSESS_12, breach(JUNE_12, "availability"), breach(late, "evenings"))
    assert risks.fold(same).level == 16
