"""Scenario 2: an auditor who ran a service, or comes to answer for it, does not audit it."""

import pytest
from meridian import Meridian, refused
from world import Begin

from stack.client import Object, Rejected


def test_nobody_audits_a_service_that_was_their_own(begin: Begin) -> None:
    meridian = Meridian(begin("2025-11-03T08:00:00Z"))
    brandt_operated_erp_until_the_end_of_november(meridian)
    meridian.at("2026-03-02T08:00:00Z")
    brandt_is_refused_for_an_audit_in_april(meridian)
    audit = weiss_is_accepted(meridian)
    brandt_cannot_join_the_team_either(meridian, audit)
    weiss_becomes_deputy_owner_two_days_before(meridian)
    the_start_is_blocked(meridian, audit)
    somebody_independent_takes_over(meridian, audit)


def test_the_look_back_of_twelve_months_ends_to_the_day(begin: Begin) -> None:
    """Until 2025-11-30: an audit that starts on 2026-11-30 still looks back at that day, one from December does not."""
    meridian = Meridian(begin("2025-11-03T08:00:00Z"))
    brandt_operated_erp_until_the_end_of_november(meridian)
    with pytest.raises(Rejected) as a_day_too_early:
        plan(meridian, lead="p-brandt", starts="2026-11-30", ends="2026-12-04")
    refused(a_day_too_early.value, 409, "A-06")
    assert plan(meridian, lead="p-brandt", starts="2026-12-01", ends="2026-12-04")["lead"] == "p-brandt"
    mail = meridian.plan_audit(["SVC-MAIL"], "2026-04-20", "2026-04-24", lead="p-brandt")
    assert mail["lead"] == "p-brandt", "another service was never hers"


def brandt_operated_erp_until_the_end_of_november(meridian: Meridian) -> None:
    held = meridian.appoint("p-brandt", "service-operator", since="2024-01-01", service="SVC-ERP")
    [assignment] = held["assignments"]
    ending = {"assignment": assignment["assignment"], "until": "2025-11-30", "reason": "Moved to internal audit"}
    ended = meridian.okafor.act("audit", f"role-holders/{held['id']}", "endings", ending)
    assert [(each["since"], each["until"]) for each in ended["assignments"]] == [("2024-01-01", "2025-11-30")]


def plan(meridian: Meridian, lead: str, starts: str = "2026-04-20", ends: str = "2026-04-24") -> Object:
    return meridian.plan_audit(["SVC-ERP"], starts, ends, lead=lead)


def brandt_is_refused_for_an_audit_in_april(meridian: Meridian) -> None:
    with pytest.raises(Rejected) as not_independent:
        plan(meridian, lead="p-brandt")
    names_role_and_dates_of_brandt(refused(not_independent.value, 409, "A-06"))
    assert list(meridian.okafor.all("audit", "audits")) == [], "nothing is half planned"


def names_role_and_dates_of_brandt(problem: Object) -> None:
    named = [problem[member] for member in ("person", "role", "service", "since", "until")]
    assert named == ["p-brandt", "service-operator", "SVC-ERP", "2024-01-01", "2025-11-30"]
    assert "within a look-back of 12 months" in problem["detail"]


def weiss_is_accepted(meridian: Meridian) -> Object:
    audit = plan(meridian, lead="p-weiss")
    assert (audit["status"], audit["lead"]) == ("planned", "p-weiss")
    meridian.weiss.act("audit", f"audits/{audit['id']}", "preparation")
    return audit


def brandt_cannot_join_the_team_either(meridian: Meridian, audit: Object) -> None:
    team = {"lead": "p-weiss", "members": ["p-brandt"], "reason": "She knows the service well"}
    with pytest.raises(Rejected) as not_independent:
        meridian.okafor.act("audit", f"audits/{audit['id']}", "team", team)
    names_role_and_dates_of_brandt(refused(not_independent.value, 409, "A-06"))


def weiss_becomes_deputy_owner_two_days_before(meridian: Meridian) -> None:
    meridian.at("2026-04-18T08:00:00Z")
    meridian.appoint("p-weiss", "deputy-service-owner", since="2026-04-18", service="SVC-ERP")


def the_start_is_blocked(meridian: Meridian, audit: Object) -> None:
    meridian.at("2026-04-20T06:00:00Z")
    with pytest.raises(Rejected) as not_independent:
        meridian.weiss.act("audit", f"audits/{audit['id']}", "start")
    problem = refused(not_independent.value, 409, "A-06")
    named = [problem[member] for member in ("person", "role", "service", "since", "until")]
    assert named == ["p-weiss", "deputy-service-owner", "SVC-ERP", "2026-04-18", None]
    assert meridian.okafor.get("audit", f"audits/{audit['id']}")["status"] == "prepared"


def somebody_independent_takes_over(meridian: Meridian, audit: Object) -> None:
    path = f"audits/{audit['id']}"
    team = {"lead": "p-adler", "members": [], "reason": "J. Weiss became deputy owner of SVC-ERP"}
    meridian.okafor.act("audit", path, "team", team)
    started = meridian.world.person("p-adler", "auditor").act("audit", path, "start")
    assert (started["status"], started["lead"]) == ("in_progress", "p-adler")
