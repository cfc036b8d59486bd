"""A policy is changed over HTTP between two findings: each gets the due date of the version of its day."""

import pytest
from bystander import Bystander
from meridian import CATALOGUE, Meridian
from world import Begin

from stack.client import Object, Rejected


def test_a_new_policy_holds_for_what_happens_after_it(begin: Begin) -> None:
    meridian = Meridian(begin("2026-03-02T08:00:00Z"))
    meridian.appoint_everybody()
    first, second = two_major_findings_are_drafted(meridian)
    meridian.issue(first)
    meridian.settle()
    meridian.at("2026-03-03T08:00:00Z")
    majors_are_due_within_30_days_from_now_on(meridian)
    meridian.at("2026-03-04T08:00:00Z")
    meridian.issue(second)
    meridian.settle()
    each_has_the_due_date_of_its_version(meridian, first, second)
    hearing_of_the_first_again_alters_nothing(meridian, first)


def two_major_findings_are_drafted(meridian: Meridian) -> tuple[Object, Object]:
    audit = meridian.plan_audit(CATALOGUE, starts="2026-03-02", ends="2026-03-06")
    meridian.start_audit(audit)
    seen = "2026-03-02T08:00:00Z"
    first, second = (
        meridian.raise_finding(audit, service, "major", f"{service} has no SLA", seen)
        for service in ("SVC-MAIL", "SVC-WIKI")
    )
    return first, second


def majors_are_due_within_30_days_from_now_on(meridian: Meridian) -> None:
    policy = meridian.lindqvist.get("improvement", "policy")
    assert policy["version"] == 0, "in force without any set-up"
    call = {"priority": "critical", "due_days": 30, "owner_role": "process-owner"}
    rules = [{"kind": "finding", "grade": "major", "call": call}, *policy["policy"]["rules"]]
    change = {"policy": {**policy["policy"], "rules": rules}, "reason": "The review wants majors answered sooner."}
    with pytest.raises(Rejected) as not_allowed:
        meridian.ruiz.act("improvement", "policy", "versions", change)
    assert not_allowed.value.status == 403
    changed = meridian.lindqvist.act("improvement", "policy", "versions", change)
    assert [each["version"] for each in changed["versions"]] == [0, 1]


def each_has_the_due_date_of_its_version(meridian: Meridian, first: Object, second: Object) -> None:
    before, after = meridian.action_of(first["id"]), meridian.action_of(second["id"])
    # 90 days from 2 March: 29 to the end of March, 30 in April, 31 in May; 30 days from 4 March: 27 and 3 in April.
    assert [before[name] for name in ("priority", "due", "owner")] == ["high", "2026-05-31", "p-ruiz"]
    assert [after[name] for name in ("priority", "due", "owner")] == ["critical", "2026-04-03", "p-keller"]
    versions = [action["entries"][0]["terms"]["policy_version"] for action in (before, after)]
    assert versions == [0, 1]


def hearing_of_the_first_again_alters_nothing(meridian: Meridian, first: Object) -> None:
    before = meridian.actions()
    bus = Bystander(meridian.world.stack.nats_url)
    [issued] = [said for said in bus.heard("audit", "finding-issued") if said.headers["ce-subject"] == first["id"]]
    bus.say(issued)
    meridian.settle()
    assert len(bus.heard("audit", "finding-issued")) == 3, "JetStream took it for a new message"
    assert meridian.actions() == before
    assert len(bus.heard("improvement", "corrective-action-opened")) == 2
