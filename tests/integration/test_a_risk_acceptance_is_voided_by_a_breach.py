"""Scenario 12: what the CIO accepted holds until the risk changes or the day is over, and no longer."""

import pytest
from bystander import Bystander
from meridian import Meridian, instant, refused
from world import Begin

from stack.client import Caller, Object, Rejected

LIMIT = 12
CRITERIA = {
    "limit": LIMIT,
    "bands": [
        {"name": "low", "up_to": 6, "approver": "risk-manager", "review_every_days": 365},
        {"name": "medium", "up_to": LIMIT, "approver": "cio", "review_every_days": 180},
        {"name": "high", "up_to": 25, "approver": "top-management", "review_every_days": 90},
    ],
    "breaches_per_step": 1,
    "zone": "Europe/Berlin",
}


def test_a_risk_acceptance_is_voided_by_a_breach(begin: Begin) -> None:
    meridian = Meridian(begin("2026-05-04T08:00:00Z"))
    svc_net_has_an_sla_and_a_risk_of_12(meridian)
    risk = the_register(meridian)
    nobody_without_authority_accepts_it(meridian, risk)
    the_cio_accepts_it_until_30_september(meridian, risk)
    a_breach_in_june_raises_it_to_16(meridian)
    the_acceptance_is_voided_by_that_event(meridian)
    the_owner_gets_a_corrective_action(meridian, risk)
    the_cio_may_not_accept_16(meridian, risk)
    top_management_may(meridian, risk)
    the_acceptance_ends_with_its_last_day(meridian)
    still_there_is_one_action_for_the_risk(meridian, risk)


def svc_net_has_an_sla_and_a_risk_of_12(meridian: Meridian) -> None:
    meridian.appoint_everybody()
    meridian.appoint("p-halvorsen", "top-management")
    meridian.settle()
    meridian.list_service("SVC-NET")
    meridian.agree("SVC-NET", starts="2026-05-04")
    published = {"criteria": CRITERIA, "reason": "The board accepts up to 12 without treatment"}
    meridian.lindqvist.act("risk", "criteria", "versions", published)
    described = {
        "title": "Single ISP at DC2",
        "kind": "threat",
        "source": "other-party",
        "services": ["SVC-NET"],
        "customer_impact": "All customers at DC2 lose their connection",
        "cause": "One line from TeleNord, no second provider",
        "event": "The line fails",
        "consequence": "No service from DC2 until TeleNord has repaired it",
        "owner": "p-berg",
        "reference": "R-017",
    }
    risk = owner(meridian).post("risk", "risks", described)
    rating = {"inherent": {"likelihood": 4, "impact": 4}, "current": {"likelihood": 3, "impact": 4}}
    why = "Two failures in three years; every customer at DC2 is hit"
    assessed = owner(meridian).act("risk", f"risks/{risk['id']}", "assessments", {**rating, "rationale": why})
    assert (assessed["level"], assessed["limit"], assessed["status"]) == (12, 12, "monitored")
    meridian.settle()


def owner(meridian: Meridian) -> Caller:
    return meridian.world.person("p-berg", "risk-owner")


def the_register(meridian: Meridian) -> Object:
    """R-017 as it stands."""
    [risk] = meridian.lindqvist.all("risk", "risks", reference="R-017")
    return risk


def accept(caller: Caller, person: str, risk: Object, assessment: int) -> Object:
    body = {
        "approver": person,
        "assessment": assessment,
        "reason": "The second line is in the budget of the next quarter",
        "until": "2026-09-30",
    }
    accepted: Object = caller.act("risk", f"risks/{risk['id']}", "acceptance", body)
    return accepted


def nobody_without_authority_accepts_it(meridian: Meridian, risk: Object) -> None:
    """A token that opens the door is no authority: that is a duty, held on the day."""
    with pytest.raises(Rejected) as another_duty:
        accept(meridian.world.person("p-keller", "risk-manager"), "p-keller", risk, 1)
    assert refused(another_duty.value, 403, "K-05")["needed"] == "cio"
    with pytest.raises(Rejected) as no_duty_known:
        accept(meridian.world.person("p-nobody", "cio"), "p-nobody", risk, 1)
    refused(no_duty_known.value, 409, "P-01")
    with pytest.raises(Rejected) as in_the_name_of_another:
        accept(meridian.world.person("p-keller", "cio"), "p-lindqvist", risk, 1)
    refused(in_the_name_of_another.value, 403, "K-05")
    with pytest.raises(Rejected) as own_risk:
        accept(owner(meridian), "p-berg", risk, 1)
    refused(own_risk.value, 403, "K-05")
    with pytest.raises(Rejected) as no_permission:
        accept(meridian.world.person("p-lindqvist", "reader"), "p-lindqvist", risk, 1)
    assert no_permission.value.status == 403
    assert the_register(meridian)["acceptance"] is None


def the_cio_accepts_it_until_30_september(meridian: Meridian, risk: Object) -> None:
    accepted = accept(meridian.lindqvist, "p-lindqvist", risk, 1)
    assert accepted["status"] == "accepted"
    given = accepted["acceptance"]
    assert (given["by"], given["role"], given["until"]) == ("p-lindqvist", "cio", "2026-09-30")
    meridian.settle()
    assert meridian.actions() == [], "a risk at its limit calls for nothing"


def a_breach_in_june_raises_it_to_16(meridian: Meridian) -> None:
    """June has 43 200 minutes, 43.2 of them may be lost: an hour from 09:00 in Berlin is too much at 09:43:12."""
    meridian.at("2026-06-12T08:30:00Z")
    meridian.report_outage("SVC-NET", "MON-12", "2026-06-12T09:00:00+02:00", "2026-06-12T10:00:00+02:00")
    meridian.settle()
    [period] = meridian.ruiz.all("sla", "periods", service="SVC-NET", month="2026-06")
    assert period["status"] == "breached"
    assert instant(period["breach"]["at"]) == instant("2026-06-12T09:43:12+02:00")
    risk = the_register(meridian)
    latest = risk["assessments"][-1]
    assert latest["current"] == {"likelihood": 4, "impact": 4}
    assert (risk["level"], latest["assessment"], latest["trigger"]) == (16, 2, "sla-breach")


def the_acceptance_is_voided_by_that_event(meridian: Meridian) -> None:
    risk = the_register(meridian)
    assert (risk["status"], risk["acceptance"]) == ("evaluated", None), "the owner must treat it, or have it accepted"
    [breach] = bus(meridian).heard("sla", "breach-confirmed")
    [voided] = bus(meridian).heard("risk", "acceptance-voided")
    assert (voided.headers["ce-subject"], voided.body["assessment"]) == (risk["id"], 1)
    assert voided.body["cause"] == breach.id


def bus(meridian: Meridian) -> Bystander:
    return Bystander(meridian.world.stack.nats_url)


def the_owner_gets_a_corrective_action(meridian: Meridian, risk: Object) -> None:
    action = meridian.action_of(risk["id"])
    # 60 days from 12 June: 18 to the end of June, 31 in July, 11 in August.
    assert (action["priority"], action["due"], action["owner"]) == ("medium", "2026-08-11", "p-berg")
    assert sorted(source["kind"] for each in meridian.actions() for source in each["sources"]) == ["breach", "risk"]


def the_cio_may_not_accept_16(meridian: Meridian, risk: Object) -> None:
    with pytest.raises(Rejected) as outdated:
        accept(meridian.lindqvist, "p-lindqvist", risk, 1)
    assert refused(outdated.value, 409, "K-05")["assessment"] == 2
    with pytest.raises(Rejected) as too_much:
        accept(meridian.lindqvist, "p-lindqvist", risk, 2)
    problem = refused(too_much.value, 403, "K-05")
    assert [problem[name] for name in ("needed", "up_to", "level")] == ["top-management", 12, 16]


def top_management_may(meridian: Meridian, risk: Object) -> None:
    accepted = accept(meridian.world.person("p-halvorsen", "top-management"), "p-halvorsen", risk, 2)
    assert (accepted["status"], accepted["acceptance"]["role"]) == ("accepted", "top-management")


def the_acceptance_ends_with_its_last_day(meridian: Meridian) -> None:
    meridian.at("2026-09-30T21:50:00Z")
    assert the_register(meridian)["status"] == "accepted"
    meridian.at("2026-09-30T22:00:00Z")
    risk = the_register(meridian)
    assert (risk["status"], risk["acceptance"], risk["level"]) == ("evaluated", None, 16)
    _, expired = bus(meridian).heard("risk", "acceptance-voided")
    assert (expired.body["assessment"], expired.body["reason"]) == (2, "expired on 2026-09-30")
    assert expired.body["cause"] is None


def still_there_is_one_action_for_the_risk(meridian: Meridian, risk: Object) -> None:
    """Above its limit again, and nobody does anything about it: its action of June is still open."""
    told = bus(meridian).heard("risk", "risk-above-limit")
    assert [each.body["assessment"] for each in told] == [2, 2]
    assert len(meridian.actions_of(risk["id"])) == 1
