"""A finding is disputed, amended, withdrawn: its corrective action follows, and keeps what it was before."""

import pytest
from meridian import CATALOGUE, Meridian, instant, refused
from world import Begin

from stack.client import Object, Rejected


def test_a_disputed_finding_takes_its_action_along(begin: Begin) -> None:
    meridian = Meridian(begin("2026-02-27T08:00:00Z"))
    meridian.appoint_everybody()
    finding, action = a_major_finding_and_its_action(meridian)
    the_owner_disputes_it_with_evidence(meridian, finding)
    neither_side_decides(meridian, finding)
    it_is_amended_to_minor(meridian, finding)
    priority_and_due_date_follow(meridian, action)
    what_was_before_stays_readable(meridian, finding, action)
    it_is_withdrawn(meridian, finding)
    cancellation_is_asked_for_and_decided_by_somebody_else(meridian, action)
    the_audit_hears_that_nothing_is_left_to_do(meridian, finding)


def a_major_finding_and_its_action(meridian: Meridian) -> tuple[Object, Object]:
    audit = meridian.plan_audit(CATALOGUE, starts="2026-02-27", ends="2026-03-06")
    meridian.start_audit(audit)
    seen = "2026-02-27T08:00:00Z"
    finding = meridian.raise_finding(audit, "SVC-MAIL", "major", "SVC-MAIL is delivered without an agreed SLA", seen)
    meridian.issue(finding)
    meridian.settle()
    action = meridian.action_of(finding["id"])
    # 90 days from 27 February: 1 to the end of February, 31 in March, 30 in April, 28 in May.
    assert (action["priority"], action["due"]) == ("high", "2026-05-28")
    return finding, action


def the_owner_disputes_it_with_evidence(meridian: Meridian, finding: Object) -> None:
    meridian.at("2026-03-02T09:00:00Z")
    path = f"findings/{finding['id']}"
    with pytest.raises(Rejected) as bare:
        meridian.ruiz.act("audit", path, "dispute", {"reason": "There is an agreement", "evidence": []})
    refused(bare.value, 422, "A-12")
    agreement = {**meridian.evidence("2026-03-02T08:00:00Z", "Signed agreement SLA-7", 1), "collector": "p-ruiz"}
    disputed = meridian.ruiz.act("audit", path, "dispute", {"reason": "There is an agreement", "evidence": [agreement]})
    assert (disputed["status"], disputed["dispute"]["by"]) == ("disputed", "p-ruiz")


def neither_side_decides(meridian: Meridian, finding: Object) -> None:
    """Whatever the token would allow: who raised a finding, or disputes it, is a party."""
    ruling = {"ruling": "upheld", "reason": "I know it best"}
    for party in ("p-weiss", "p-ruiz"):
        caller = meridian.world.person(party, "audit-programme-manager")
        with pytest.raises(Rejected) as own_case:
            caller.act("audit", f"findings/{finding['id']}", "dispute-decision", ruling)
        refused(own_case.value, 403, "A-12")


def it_is_amended_to_minor(meridian: Meridian, finding: Object) -> None:
    meridian.at("2026-03-05T09:00:00Z")
    ruling = {"ruling": "amended", "grade": "minor", "reason": "The agreement exists, but has expired"}
    amended = meridian.okafor.act("audit", f"findings/{finding['id']}", "dispute-decision", ruling)
    assert (amended["status"], amended["grade"]) == ("issued", "minor")
    meridian.settle()


def priority_and_due_date_follow(meridian: Meridian, before: Object) -> None:
    """Still counted from the day of issue, now 180 days: 90 more than 28 May are 3 + 30 + 31 and 26 in August."""
    action = meridian.action(before)
    assert (action["priority"], action["due"]) == ("medium", "2026-08-26")
    assert len(meridian.actions()) == 1


def what_was_before_stays_readable(meridian: Meridian, finding: Object, action: Object) -> None:
    now = meridian.action(action)
    assert now["original_due"] == "2026-05-28"
    [change] = now["dues"]
    assert (change["was"], change["due"]) == ("2026-05-28", "2026-08-26")
    assert instant(change["at"]).date().isoformat() == "2026-03-05"
    path = f"corrective-actions/{action['id']}"
    opened, *_ = meridian.keller.all("improvement", f"{path}/history")
    then = meridian.keller.get("improvement", path, as_of=opened["recorded_at"])
    assert (then["priority"], then["due"]) == ("high", "2026-05-28")
    [amended] = [
        entry
        for entry in meridian.weiss.all("audit", f"findings/{finding['id']}/history")
        if entry["type"] == "finding-amended"
    ]
    assert (amended["data"]["previous_grade"], amended["data"]["grade"]) == ("major", "minor")
    assert amended["reason"] == "The agreement exists, but has expired"


def it_is_withdrawn(meridian: Meridian, finding: Object) -> None:
    meridian.at("2026-03-09T09:00:00Z")
    path, reason = f"findings/{finding['id']}", {"reason": "SVC-MAIL was never in operation"}
    with pytest.raises(Rejected) as by_its_author:
        meridian.world.person("p-weiss", "audit-programme-manager").act("audit", path, "withdrawal", reason)
    refused(by_its_author.value, 403, "A-12")
    assert meridian.okafor.act("audit", path, "withdrawal", reason)["status"] == "withdrawn"
    meridian.settle()


def cancellation_is_asked_for_and_decided_by_somebody_else(meridian: Meridian, before: Object) -> None:
    action = meridian.action(before)
    assert (action["status"], action["cancellation_asked"]) == ("opened", True), "it asks, and does not cancel itself"
    decision = {"approved": True, "reason": "The finding was withdrawn."}
    with pytest.raises(Rejected) as by_the_owner:
        meridian.work(meridian.ruiz, action, "cancellation-decision", **decision)
    assert refused(by_the_owner.value, 403, "C-08")["owner"] == "p-ruiz"
    cancelled = meridian.work(meridian.keller, action, "cancellation-decision", **decision)
    assert (cancelled["status"], cancelled["cancellation_asked"]) == ("cancelled", False)
    *_, decided = meridian.keller.all("improvement", f"corrective-actions/{action['id']}/history")
    assert (decided["type"], decided["by"]["person"]) == ("corrective-action-cancelled", "p-keller")


def the_audit_hears_that_nothing_is_left_to_do(meridian: Meridian, finding: Object) -> None:
    meridian.settle()
    [followed] = meridian.weiss.get("audit", f"findings/{finding['id']}")["corrective_actions"]
    assert followed["standing"] == "cancelled"
