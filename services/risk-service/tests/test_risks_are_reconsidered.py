"""What is heard of a risk calls for another look, and a breach raises it (K-06); scenario 12."""

from dataclasses import replace
from datetime import date, datetime

from risks_at_meridian import (
    ACCEPT,
    ASSESS_12,
    JUNE_12,
    R017,
    SECOND_LINE,
    breach,
    given,
    heard,
    in_force,
    names,
    only,
    played,
)

from contracts import risk as contract
from events.kernel import Due
from risk_service.criteria.domain import Criteria
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import Review
from risk_service.risks.events import AcceptanceVoided, Assessed, Reviewed
from risk_service.risks.state import Status
from risk_service.risks.values import Rating
from risk_service.words import Trigger


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


def test_an_ineffective_action_leaves_a_new_assessment_at_the_same_level_and_asks_for_a_person() -> None:
    """Scenario 10: R-009 is re-assessed; nobody may go on counting on the action that failed."""
    outcome = given(*played(R017, ASSESS_12, ACCEPT)).when(heard(Trigger.ACTION_INEFFECTIVE, "CA-101: cycle 2"))
    assert names(outcome) == ["TriggerHeard", "Assessed", "AcceptanceVoided", "FoundAboveLimit"]
    assert (outcome.state.level, outcome.state.latest.trigger) == (12, Trigger.ACTION_INEFFECTIVE)
    assert outcome.state.review_due


def test_news_of_a_risk_that_was_lost_change_nothing() -> None:
    """An older database was restored, and an action goes on for a risk of which only others know by now."""
    assert names(given().when(heard(Trigger.ACTION_INEFFECTIVE, "CA-101: cycle 2"))) == []


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


def test_the_day_of_a_breach_is_that_of_the_criterias_zone() -> None:
    """12 June 23:59:59 in Berlin is 21:59:59 UTC; a second later it is the 13th there: two days, two steps."""
    late, later = (datetime.fromisoformat(f"2026-06-12T{at}+00:00") for at in ("21:59:59", "22:00:00"))
    history = played(R017, ASSESS_12, breach(late, "availability"), breach(later, "availability"))
    assert risks.fold(history).level == 20
    same = played(R017, ASSESS_12, breach(JUNE_12, "availability"), breach(late, "evenings"))
    assert risks.fold(same).level == 16
