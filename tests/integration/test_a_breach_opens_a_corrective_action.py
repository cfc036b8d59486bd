"""Scenario 3: two services are down for 75 minutes of an April in which 43.2 are allowed.

The outage of SVC-ERP is reported while it lasts, that of SVC-MAIL when it is over: the figures are the same.
"""

from decimal import Decimal

from bystander import Bystander
from meridian import Meridian, instant
from world import Begin

from stack.client import Object, eventually

DOWN_AT, UP_AT = "2026-04-14T09:10:00+02:00", "2026-04-14T10:25:00+02:00"
AT_RISK_AT = "2026-04-14T09:42:24+02:00"
"""75 % of 43.2 minutes are used: 09:10 and 32.4 minutes."""
GONE_AT = "2026-04-14T09:53:12+02:00"
"""09:10 and 43.2 minutes."""


def test_an_outage_of_75_minutes_is_a_breach_once_43_are_gone_and_opens_one_action(begin: Begin) -> None:
    meridian = two_services_with_99_9_percent(begin)
    while_it_lasts_the_scheduler_finds_the_breach_of_svc_erp(meridian)
    its_end_is_reported_and_svc_mail_is_reported_afterwards(meridian)
    for service in ("SVC-ERP", "SVC-MAIL"):
        the_figures_of_april_are_exact(meridian, service)
        each_thing_is_said_once_on_the_bus(meridian, service)
        one_action_is_due_as_the_policy_says(meridian, service)
    the_end_of_the_month_adds_nothing(meridian)


def two_services_with_99_9_percent(begin: Begin) -> Meridian:
    meridian = Meridian(begin("2026-03-20T08:00:00Z"))
    meridian.appoint_everybody()
    for service in ("SVC-ERP", "SVC-MAIL"):
        meridian.list_service(service)
        meridian.agree(service, starts="2026-04-01", signed="2026-03-20")
    return meridian


def april(meridian: Meridian, service: str) -> Object:
    """How the target stands in April."""
    (period,) = meridian.ruiz.all("sla", "periods", service=service, month="2026-04")
    return period


def while_it_lasts_the_scheduler_finds_the_breach_of_svc_erp(meridian: Meridian) -> None:
    meridian.at("2026-04-14T09:15:00+02:00")
    meridian.report_outage("SVC-ERP", "INC-4711", DOWN_AT, None, source="service-desk")
    meridian.at("2026-04-14T09:41:30+02:00")
    assert april(meridian, "SVC-ERP")["status"] == "ok"
    meridian.at("2026-04-14T09:52:10+02:00")
    assert april(meridian, "SVC-ERP")["status"] == "at-risk"
    assert meridian.actions() == []
    # Two seconds before the budget is gone: the clock runs on by itself, and nobody reports anything more.
    meridian.at("2026-04-14T09:53:10+02:00")
    eventually(lambda: april(meridian, "SVC-ERP")["status"] == "breached", "the breach")


def its_end_is_reported_and_svc_mail_is_reported_afterwards(meridian: Meridian) -> None:
    meridian.at("2026-04-14T11:00:00+02:00")
    meridian.report_outage("SVC-ERP", "INC-4711-end", DOWN_AT, UP_AT, source="service-desk", corrects="INC-4711")
    meridian.report_outage("SVC-MAIL", "INC-4712", DOWN_AT, UP_AT, source="service-desk")
    meridian.settle()


def the_figures_of_april_are_exact(meridian: Meridian, service: str) -> None:
    period = april(meridian, service)
    names = ("agreed_minutes", "budget_minutes", "used_minutes", "attainment")
    assert [Decimal(period[name]) for name in names] == [43_200, Decimal("43.2"), 75, Decimal("99.826")]
    assert period["status"] == "breached"
    assert instant(period["at_risk"]["at"]) == instant(AT_RISK_AT)
    assert instant(period["breach"]["at"]) == instant(GONE_AT)


def each_thing_is_said_once_on_the_bus(meridian: Meridian, service: str) -> None:
    bus = Bystander(meridian.world.stack.nats_url)
    (at_risk,) = [said.body for said in bus.heard("sla", "target-at-risk") if said.body["service"] == service]
    (breach,) = [said.body for said in bus.heard("sla", "breach-confirmed") if said.body["service"] == service]
    assert instant(at_risk["at"]) == instant(AT_RISK_AT)
    assert instant(breach["at"]) == instant(GONE_AT)
    assert (at_risk["budget"], breach["budget"]) == ("43.2 min", "43.2 min")


def one_action_is_due_as_the_policy_says(meridian: Meridian, service: str) -> None:
    """The default policy gives a breach 30 days: from 14 April to 14 May."""
    action = meridian.action_of(april(meridian, service)["id"])
    assert [source["kind"] for source in action["sources"]] == ["breach"]
    assert (action["status"], action["priority"], action["due"]) == ("opened", "high", "2026-05-14")
    assert (action["owner_role"], action["owner"]) == ("service-level-manager", "p-ruiz")


def the_end_of_the_month_adds_nothing(meridian: Meridian) -> None:
    meridian.at("2026-05-01T00:00:00+02:00")
    for service in ("SVC-ERP", "SVC-MAIL"):
        period = april(meridian, service)
        assert (period["stage"], period["met"], period["final_attainment"]) == ("final", False, "99.826")
    assert len(Bystander(meridian.world.stack.nats_url).heard("sla", "breach-confirmed")) == 2
    assert len(meridian.actions()) == 2
