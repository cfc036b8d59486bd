"""A risk is registered, and assessed against the criteria (K-01 to K-03)."""

from dataclasses import replace
from datetime import date

from risks_at_meridian import ACCEPT, ASSESS_12, R017, SECOND_LINE, breach, given, in_force, names, only, played

from contracts import risk as contract
from risk_service.criteria.domain import Criteria
from risk_service.risks.aggregate import risks
from risk_service.risks.commands import Assess, Review
from risk_service.risks.events import Assessed
from risk_service.risks.state import Status
from risk_service.risks.values import Kind, Rating, Source


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


def rated(likelihood: int, impact: int) -> Assess:
    return replace(
        ASSESS_12, inherent=Rating(likelihood=5, impact=5), current=Rating(likelihood=likelihood, impact=impact)
    )


def test_exactly_the_limit_is_watched_and_one_step_more_is_for_somebody_to_decide() -> None:
    """The default limit is 9: 3 x 3 is not above it, 2 x 5 is."""
    assert risks.fold(played(R017, rated(3, 3))).status is Status.MONITORED
    assert risks.fold(played(R017, rated(2, 5))).status is Status.EVALUATED
