"""Scenario 9: who is told of a late action, and when, whatever becomes of the process that tells them."""

from collections.abc import Sequence
from datetime import UTC

import pytest
from bystander import Bystander
from meridian import CATALOGUE, Meridian, instant, refused
from world import Begin

from stack.client import Object, Rejected, settle
from stack.cluster import SERVICE_PORTS

Told = tuple[str, str, str, str]
"""Step, instant, person, due date."""

REMINDED = ("reminder", "2026-06-22T22:00:00Z", "p-ruiz", "2026-06-30")
OVERDUE = ("owner", "2026-06-30T22:00:00Z", "p-ruiz", "2026-06-30")
WEEK = ("process-owner", "2026-07-07T22:00:00Z", "p-keller", "2026-06-30")
FORTNIGHT = ("cio", "2026-07-14T22:00:00Z", "p-lindqvist", "2026-06-30")
"""Berlin keeps summer time: its days begin and end at 22:00 UTC."""
REMINDED_AGAIN = ("reminder", "2026-07-23T22:00:00Z", "p-ruiz", "2026-07-31")
OVERDUE_AGAIN = ("owner", "2026-07-31T22:00:00Z", "p-ruiz", "2026-07-31")
WEEK_AGAIN = ("process-owner", "2026-08-07T22:00:00Z", "p-keller", "2026-07-31")
FORTNIGHT_AGAIN = ("cio", "2026-08-14T22:00:00Z", "p-lindqvist", "2026-07-31")


def test_a_late_action_climbs_its_ladder_once(begin: Begin) -> None:
    meridian = Meridian(begin("2026-03-30T08:00:00Z"))
    meridian.appoint_everybody()
    late, extended = two_major_actions_due_on_30_june(meridian)
    the_owner_is_reminded_seven_days_before(meridian, [late, extended])
    the_owner_is_told_when_the_due_day_has_ended(meridian, [late, extended])
    more_time_is_given_by_the_process_owner_alone(meridian, extended)
    without_more_time_the_ladder_goes_up_to_the_cio(meridian, late)
    with_more_time_it_begins_anew(meridian, extended)
    everybody_was_told_once_over_the_bus(meridian, late, extended)


def two_major_actions_due_on_30_june(meridian: Meridian) -> tuple[Object, Object]:
    """Issued on 1 April, 90 days before: 29 days to the end of April, 31 in May, 30 in June."""
    audit = meridian.plan_audit(CATALOGUE, starts="2026-03-30", ends="2026-04-02")
    meridian.start_audit(audit)
    seen = "2026-03-30T08:00:00Z"
    found = [meridian.raise_finding(audit, key, "major", f"{key} has no SLA", seen) for key in ("SVC-DNS", "SVC-WEB")]
    meridian.at("2026-04-01T08:00:00Z")
    for finding in found:
        meridian.issue(finding)
    meridian.settle()
    late, extended = (meridian.action_of(finding["id"]) for finding in found)
    for action in (late, extended):
        assert (action["priority"], action["due"], action["owner"]) == ("high", "2026-06-30", "p-ruiz")
    return late, extended


def the_owner_is_reminded_seven_days_before(meridian: Meridian, actions: Sequence[Object]) -> None:
    meridian.at("2026-06-22T21:50:00Z")
    assert [told(meridian, action) for action in actions] == [[], []]
    the_clock_reaches_while_the_service_is_killed(meridian, "2026-06-22T22:00:00Z")
    assert [told(meridian, action) for action in actions] == [[REMINDED], [REMINDED]]


def the_owner_is_told_when_the_due_day_has_ended(meridian: Meridian, actions: Sequence[Object]) -> None:
    for hour in ("19:00", "20:00", "21:00", "21:50"):
        meridian.at(f"2026-06-30T{hour}:00Z")
        assert [told(meridian, action) for action in actions] == [[REMINDED], [REMINDED]]
    assert not any(meridian.action(action)["overdue"] for action in actions), "the due day is not over in Berlin"
    for hour in ("22:00", "23:00"):
        meridian.at(f"2026-06-30T{hour}:00Z")
        assert [told(meridian, action) for action in actions] == [[REMINDED, OVERDUE], [REMINDED, OVERDUE]]
    assert all(meridian.action(action)["overdue"] for action in actions)


def more_time_is_given_by_the_process_owner_alone(meridian: Meridian, action: Object) -> None:
    meridian.at("2026-07-03T08:00:00Z")
    assert meridian.action(action)["overdue_days"] == 3
    reason = "TeleNord signs after its board meets on 20 July."
    with pytest.raises(Rejected) as not_the_owner:
        meridian.work(meridian.keller, action, "extensions", until="2026-07-31", reason=reason)
    refused(not_the_owner.value, 403, "C-10")
    meridian.work(meridian.ruiz, action, "extensions", until="2026-07-31", reason=reason)
    with pytest.raises(Rejected) as own_case:
        meridian.work(meridian.ruiz, action, "extension-decision", approved=True, reason="I need it.")
    assert refused(own_case.value, 403, "C-10")["owner"] == "p-ruiz"
    assert meridian.action(action)["due"] == "2026-06-30"
    given = meridian.work(meridian.keller, action, "extension-decision", approved=True, reason="The targets hold.")
    the_original_date_and_the_count_remain(given)
    assert not given["overdue"]
    assert instant(given["next_deadline"]) == instant(REMINDED_AGAIN[1]), "the ladder begins anew"


def the_original_date_and_the_count_remain(action: Object) -> None:
    dates = (action["due"], action["original_due"], action["extension_count"])
    assert dates == ("2026-07-31", "2026-06-30", 1)
    assert [(each["was"], each["due"]) for each in action["dues"]] == [("2026-06-30", "2026-07-31")]


def without_more_time_the_ladder_goes_up_to_the_cio(meridian: Meridian, action: Object) -> None:
    meridian.at("2026-07-07T21:50:00Z")
    assert told(meridian, action) == [REMINDED, OVERDUE]
    the_clock_reaches_while_the_service_is_killed(meridian, "2026-07-07T22:00:00Z")
    assert told(meridian, action) == [REMINDED, OVERDUE, WEEK]
    meridian.at("2026-07-14T21:50:00Z")
    assert told(meridian, action) == [REMINDED, OVERDUE, WEEK]
    for moment in ("2026-07-14T22:00:00Z", "2026-07-14T23:00:00Z"):
        meridian.at(moment)
        assert told(meridian, action) == [REMINDED, OVERDUE, WEEK, FORTNIGHT]


def with_more_time_it_begins_anew(meridian: Meridian, action: Object) -> None:
    climbed = [REMINDED, OVERDUE]
    assert told(meridian, action) == climbed, "nobody above heard of it while the extension runs"
    for step in (REMINDED_AGAIN, OVERDUE_AGAIN, WEEK_AGAIN, FORTNIGHT_AGAIN):
        climbed.append(step)
        meridian.at(step[1])
        assert told(meridian, action) == climbed
    the_original_date_and_the_count_remain(meridian.action(action))
    [listed] = meridian.lindqvist.all("improvement", "corrective-actions", number=action["number"])
    the_original_date_and_the_count_remain(listed)


def everybody_was_told_once_over_the_bus(meridian: Meridian, late: Object, extended: Object) -> None:
    said = Bystander(meridian.world.stack.nats_url).heard("improvement", "corrective-action-escalated")
    for action in (late, extended):
        heard = [
            (each.body["step"], each.body["to"], each.body["due"], each.body["overdue_days"])
            for each in said
            if each.headers["ce-subject"] == action["id"]
        ]
        lateness = {"reminder": -7, "owner": 0, "process-owner": 7, "cio": 14}
        assert heard == [(step, to, due, lateness[step]) for step, _, to, due in told(meridian, action)]


# --- the same words all over the story -------------------------------------------------------------------------------


def told(meridian: Meridian, action: Object) -> list[Told]:
    """Whom the service has told of this action, in order."""
    steps = meridian.action(action)["escalations"]
    return [(step["step"], in_utc(step["at"]), step["to"], step["due"]) for step in steps]


def in_utc(written: str) -> str:
    return f"{instant(written).astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def the_clock_reaches_while_the_service_is_killed(meridian: Meridian, moment: str) -> None:
    """Power goes off in the very moment in which something falls due; whatever was under way is taken up again."""
    for service in SERVICE_PORTS:
        meridian.operator.post(service, "clock", {"to": moment})
    improvement = meridian.world.stack.services["improvement"]
    improvement.kill()
    improvement.start()
    settle(meridian.operator)
