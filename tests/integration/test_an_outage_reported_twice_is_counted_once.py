"""Scenario 5: the service desk and the monitor report the same outage, everything is said again, nothing is doubled."""

from decimal import Decimal

from bystander import Bystander
from meridian import Meridian, instant
from world import Begin

from stack.client import Object

INCIDENT = {"id": "INC-4711", "started_at": "2026-04-14T09:10:00+02:00", "ended_at": "2026-04-14T10:25:00+02:00"}
ALERT = {"id": "MON-88", "started_at": "2026-04-14T09:20:00+02:00", "ended_at": "2026-04-14T10:20:00+02:00"}
BOTH = ["monitor:MON-88", "service-desk:INC-4711"]


def test_two_reports_of_one_outage_and_a_repeated_event_make_one_breach_and_one_action(begin: Begin) -> None:
    meridian = svc_erp_with_99_9_percent(begin)
    report(meridian, "service-desk", INCIDENT)
    second = report(meridian, "monitor", ALERT)
    meridian.settle()
    the_downtime_is_their_union(meridian)
    both_sources_are_linked(meridian)
    the_same_samples_again_are_answered_as_known(meridian, second)
    the_same_id_with_another_content_is_refused(meridian)
    the_breach_event_three_times_more_changes_nothing(meridian)


def svc_erp_with_99_9_percent(begin: Begin) -> Meridian:
    meridian = Meridian(begin("2026-04-01T08:00:00Z"))
    meridian.appoint_everybody()
    meridian.list_service("SVC-ERP")
    meridian.agree("SVC-ERP", starts="2026-04-01")
    meridian.at("2026-04-14T11:00:00+02:00")
    return meridian


def report(meridian: Meridian, source: str, *samples: Object) -> Object:
    body = {"service": "SVC-ERP", "source": source, "samples": list(samples)}
    answer: Object = meridian.monitor.post("sla", "measurements", body)
    return answer


def april(meridian: Meridian) -> Object:
    (period,) = meridian.ruiz.all("sla", "periods", service="SVC-ERP", month="2026-04")
    return period


def the_downtime_is_their_union(meridian: Meridian) -> None:
    """75 minutes and 60 minutes within them are 75 minutes."""
    period = april(meridian)
    assert (Decimal(period["used_minutes"]), period["attainment"]) == (Decimal(75), "99.826")
    assert instant(period["breach"]["at"]) == instant("2026-04-14T09:53:12+02:00")


def both_sources_are_linked(meridian: Meridian) -> None:
    assert sorted(april(meridian)["sources"]) == BOTH
    (of_the_service,) = meridian.ruiz.all("sla", "outages", service="SVC-ERP")
    (outage,) = of_the_service["outages"]
    assert (outage["name"], outage["sources"]) == ("service-desk:INC-4711", BOTH)


def the_same_samples_again_are_answered_as_known(meridian: Meridian, second: Object) -> None:
    """Under a fresh key, so that only the samples themselves can tell: same objects, at the versions they had."""
    before = april(meridian)
    assert report(meridian, "monitor", ALERT) == second
    assert report(meridian, "service-desk", INCIDENT)["results"] == second["results"]
    assert april(meridian) == before


def the_same_id_with_another_content_is_refused(meridian: Meridian) -> None:
    before = april(meridian)
    body = {"service": "SVC-ERP", "source": "monitor", "samples": [{**ALERT, "ended_at": INCIDENT["ended_at"]}]}
    answer = meridian.monitor.ask("POST", "sla", "measurements", json=body, headers={"Idempotency-Key": "other"})
    assert (answer.status_code, answer.json()["rule"], answer.json()["sample"]) == (409, "S-04", "MON-88")
    assert april(meridian) == before


def the_breach_event_three_times_more_changes_nothing(meridian: Meridian) -> None:
    bus = Bystander(meridian.world.stack.nats_url)
    (breach,) = bus.heard("sla", "breach-confirmed")
    action = meridian.action_of(april(meridian)["id"])
    for _ in range(3):
        bus.say(breach)
    meridian.settle()
    assert [said.id for said in bus.heard("sla", "breach-confirmed")] == [breach.id] * 4
    assert meridian.action(action) == action
    assert meridian.actions() == [action]
    assert [said.body["number"] for said in bus.heard("improvement", "corrective-action-opened")] == [action["number"]]
