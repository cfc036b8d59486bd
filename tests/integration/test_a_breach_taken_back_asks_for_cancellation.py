"""An outage of 75 minutes turns out to have been 20: the breach is taken back, and its action asks to be cancelled."""

from decimal import Decimal

from bystander import Bystander
from meridian import Meridian, refused
from world import Begin

from stack.client import Object, Rejected, eventually

DOWN_AT, UP_AT, REALLY_UP_AT = (f"2026-04-14T{time}+02:00" for time in ("09:10:00", "10:25:00", "09:30:00"))


def test_a_breach_taken_back_leaves_its_record_and_somebody_cancels_its_action(begin: Begin) -> None:
    meridian = Meridian(begin("2026-03-20T08:00:00Z"))
    meridian.appoint_everybody()
    meridian.list_service("SVC-ERP")
    meridian.agree("SVC-ERP", starts="2026-04-01", signed="2026-03-20")
    action = an_outage_of_75_minutes_opens_an_action(meridian)
    the_monitor_corrects_it_to_20_minutes(meridian)
    the_action_asks_and_the_owner_may_not_decide(meridian, action)
    the_same_outage_of_75_minutes_again_would_open_a_new_action(meridian, action)


def an_outage_of_75_minutes_opens_an_action(meridian: Meridian) -> Object:
    meridian.at("2026-04-14T11:00:00+02:00")
    meridian.report_outage("SVC-ERP", "MON-88", DOWN_AT, UP_AT, source="monitor")
    meridian.settle()
    (action,) = meridian.actions()
    return action


def the_monitor_corrects_it_to_20_minutes(meridian: Meridian) -> None:
    meridian.at("2026-04-15T08:00:00+02:00")
    meridian.report_outage("SVC-ERP", "MON-88-corrected", DOWN_AT, REALLY_UP_AT, source="monitor", corrects="MON-88")
    meridian.settle()
    (period,) = meridian.ruiz.all("sla", "periods", service="SVC-ERP", month="2026-04")
    assert Decimal(period["used_minutes"]) == 20
    assert period["breach"] is not None, "what was said is not unsaid"
    (told,) = Bystander(meridian.world.stack.nats_url).heard("sla", "breach-withdrawn")
    assert told.body["service"] == "SVC-ERP"


def the_action_asks_and_the_owner_may_not_decide(meridian: Meridian, opened: Object) -> None:
    asking = eventually(lambda: meridian.action(opened)["cancellation_asked"], "the action asks to be cancelled")
    assert asking
    decision = {"approved": True, "reason": "The service was back after 20 minutes"}
    try:
        meridian.work(meridian.ruiz, meridian.action(opened), "cancellation-decision", **decision)
    except Rejected as rejected:
        refused(rejected, 403, "C-08")
    else:
        raise AssertionError("the owner cancelled the own action")
    cancelled = meridian.work(meridian.keller, meridian.action(opened), "cancellation-decision", **decision)
    assert cancelled["status"] == "cancelled"


def the_same_outage_of_75_minutes_again_would_open_a_new_action(meridian: Meridian, cancelled: Object) -> None:
    meridian.report_outage("SVC-ERP", "INC-4711", DOWN_AT, UP_AT, source="service-desk")
    meridian.settle()
    numbers = {each["number"]: each["status"] for each in meridian.actions()}
    assert numbers.pop(cancelled["number"]) == "cancelled"
    assert list(numbers.values()) == ["opened"]
