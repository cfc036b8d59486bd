"""A risk is accepted with authority, by somebody other than its owner, and until a day (K-05)."""

from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from risks_at_meridian import ACCEPT, ASSESS_12, R017, breach, duty, given, names, played

from contracts import risk as contract
from duties import duties_of
from events.kernel import Due, Need
from risk_service.risks.aggregate import risks
from risk_service.risks.events import AcceptanceVoided, FoundAboveLimit
from risk_service.risks.state import Status
from risk_service.risks.values import Rating


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
