"""Scenario 1: an audit finds a service without an SLA, and the loop runs until the finding is verified as gone."""

from collections.abc import Sequence

import pytest
from meridian import CATALOGUE, SLM, Meridian, refused
from world import Begin

from stack.client import Object, Rejected

WITHOUT_SLA = ("SVC-MAIL", "SVC-BACKUP", "SVC-WIKI")
"""The audit's sample shows the first; the extent check brings the others to light."""


def test_the_golden_path_from_a_missing_sla_to_a_verified_effect(begin: Begin) -> None:
    meridian = Meridian(begin("2026-01-12T08:00:00Z"))
    meridian.appoint_everybody()
    three_of_fourteen_services_have_no_sla(meridian)
    audit, finding = the_audit_finds_one_of_them(meridian)
    action = a_corrective_action_is_opened_by_event(meridian, finding)
    nothing_can_be_verified_yet(meridian, audit, finding)
    the_effect_is_corrected_and_the_cause_found(meridian, action)
    the_plan_is_made_and_approved(meridian, action)
    slas = the_plan_is_carried_out(meridian, action)
    the_verdict_waits_for_the_window_and_for_somebody_else(meridian, action)
    the_finding_is_verified_and_the_audit_closed(meridian, audit, finding, action)
    the_causal_chain_can_be_followed(meridian, finding, action, slas)


def three_of_fourteen_services_have_no_sla(meridian: Meridian) -> None:
    meridian.list_services()
    for service in CATALOGUE:
        if service not in WITHOUT_SLA:
            meridian.agree(service, starts="2026-01-12")
    meridian.settle()
    coverage = meridian.weiss.get("sla", "coverage")
    assert (coverage["services"], coverage["without_sla"]) == (14, 3)
    assert sorted(coverage["services_without_sla"]) == sorted(WITHOUT_SLA)


def the_audit_finds_one_of_them(meridian: Meridian) -> tuple[Object, Object]:
    audit = meridian.plan_audit(CATALOGUE, starts="2026-02-10", ends="2026-02-13")
    meridian.at("2026-02-10T08:00:00Z")
    meridian.start_audit(audit)
    seen = "2026-02-10T09:30:00+01:00"
    path = f"audits/{audit['id']}"
    meridian.at("2026-02-10T12:00:00Z")
    result = {"criterion": SLM, "outcome": "finding", "evidence": [meridian.evidence(seen)]}
    meridian.weiss.act("audit", path, "results", result)
    finding = meridian.raise_finding(audit, "SVC-MAIL", "major", "SVC-MAIL is delivered without an agreed SLA", seen)
    meridian.settle()
    assert meridian.actions() == [], "a draft calls for nothing"
    meridian.at("2026-02-12T09:00:00Z")
    finding = meridian.issue(finding)
    assert (finding["status"], finding["grade"], finding["clause"]) == ("issued", "major", "8.3.3")
    [evidence] = finding["evidence"]
    assert (evidence["sample_size"], evidence["population"]) == (14, 14)
    assert evidence["hash"] == meridian.evidence(seen)["hash"], "catalogue v7, as it was on the day"
    meridian.weiss.act("audit", path, "fieldwork-completion")
    report = {"recipients": ["p-lindqvist"], "summary": "One major nonconformity: SVC-MAIL has no agreement"}
    meridian.weiss.act("audit", path, "report", report)
    meridian.lindqvist.act("audit", path, "report-acknowledgement")
    return audit, finding


def a_corrective_action_is_opened_by_event(meridian: Meridian, finding: Object) -> Object:
    meridian.settle()
    action = meridian.action_of(finding["id"])
    assert (action["status"], action["priority"], action["due"]) == ("opened", "high", "2026-05-13")
    assert (action["owner_role"], action["owner"]) == ("service-level-manager", "p-ruiz")
    assert [source["label"] for source in action["sources"]] == [finding["number"]]
    return action


def nothing_can_be_verified_yet(meridian: Meridian, audit: Object, finding: Object) -> None:
    meridian.weiss.act("audit", f"audits/{audit['id']}", "follow-up")
    with pytest.raises(Rejected) as too_early:
        verify_finding(meridian, finding, "2026-02-12T09:00:00Z")
    assert refused(too_early.value, 409, "A-14")["corrective_action"] == "CA-101"
    with pytest.raises(Rejected) as unverified:
        meridian.okafor.act("audit", f"audits/{audit['id']}", "closure")
    assert refused(unverified.value, 409, "A-14")["open"] == [finding["number"]]


def the_effect_is_corrected_and_the_cause_found(meridian: Meridian, action: Object) -> None:
    meridian.at("2026-02-16T09:00:00Z")
    ruiz = meridian.ruiz
    contained = meridian.work(ruiz, action, "corrections", correction="Interim targets for SVC-MAIL agreed by letter.")
    assert contained["corrections"][0]["at"].startswith("2026-02-16")
    meridian.work(ruiz, action, "need", needed=True, rationale="The same gap can leave any new service without an SLA.")
    whys = [
        "SVC-MAIL has no SLA, because nobody drafted one.",
        "Nobody drafted one, because nobody was told that the service goes live.",
        "Nobody was told, because onboarding hands over to operations only.",
        "Onboarding hands over to operations only, because its checklist ends there.",
        "The onboarding checklist has no SLA gate.",
    ]
    cause = {"key": "no-gate", "statement": whys[-1], "verified": True}
    analysed = meridian.work(ruiz, action, "analyses", method="five-whys", chain=whys, causes=[cause])
    assert len(analysed["cycles"][0]["analysis"]["chain"]) == 5
    meridian.work(
        ruiz,
        action,
        "extents",
        exists_elsewhere=True,
        could_occur=True,
        services=list(WITHOUT_SLA[1:]),
        links=["Service catalogue v7"],
        answer="All 14 services were compared with the SLAs in force: 2 more have none.",
    )


def the_plan_is_made_and_approved(meridian: Meridian, action: Object) -> None:
    tasks = [
        task("agree", "Agree SLAs for SVC-MAIL, SVC-BACKUP and SVC-WIKI.", "Three SLAs are in force.", "p-ruiz"),
        task("gate", "Put an SLA gate into the onboarding checklist.", "Checklist v4 is in use.", "p-keller"),
    ]
    criterion = {
        "statement": "Services without active SLA = 0 for 60 days.",
        "measure": "services-without-sla",
        "threshold": "0",
        "window_days": 60,
        "verifier": "p-weiss",
    }
    with pytest.raises(Rejected) as own_verifier:
        meridian.work(meridian.ruiz, action, "plans", tasks=tasks, criterion={**criterion, "verifier": "p-ruiz"})
    refused(own_verifier.value, 422, "C-09")
    meridian.work(meridian.ruiz, action, "plans", tasks=tasks, criterion=criterion)
    with pytest.raises(Rejected) as own_plan:
        meridian.work(meridian.ruiz, action, "plan-decision", approved=True, reason="I like it.")
    refused(own_plan.value, 403, "C-09")
    meridian.work(meridian.keller, action, "plan-decision", approved=True, reason="Removes the cause.")


def task(key: str, what: str, result: str, owner: str) -> Object:
    return {
        "key": key,
        "cause": "no-gate",
        "what": what,
        "expected_result": result,
        "owner": owner,
        "due": "2026-04-15",
    }


def the_plan_is_carried_out(meridian: Meridian, action: Object) -> list[Object]:
    meridian.at("2026-04-15T08:00:00Z")
    slas = [meridian.agree(service, starts="2026-04-15") for service in WITHOUT_SLA]
    meridian.settle()
    assert meridian.weiss.get("sla", "coverage")["without_sla"] == 0
    meridian.work(meridian.ruiz, action, "completions", task="agree", evidence="Three signed agreements")
    done = meridian.work(meridian.keller, action, "completions", task="gate", evidence="Checklist v4")
    # 60 days from 15 April: 15 to the end of April, 31 in May, 14 in June.
    assert (done["status"], done["earliest_verification"]) == ("implemented", "2026-06-14")
    meridian.settle()
    return slas


def the_verdict_waits_for_the_window_and_for_somebody_else(meridian: Meridian, action: Object) -> None:
    verdict = {"verdict": "effective", "evidence": "The count of services without SLA stayed 0 for 60 days."}
    meridian.at("2026-06-13T21:50:00Z")
    with pytest.raises(Rejected) as too_early:
        meridian.work(meridian.weiss, action, "verification", **verdict)
    assert refused(too_early.value, 409, "C-09")["earliest"] == "2026-06-14"
    meridian.at("2026-06-13T22:00:00Z")
    with pytest.raises(Rejected) as own_work:
        meridian.work(meridian.ruiz, action, "verification", **verdict)
    refused(own_work.value, 403, "C-09")
    closed = meridian.work(meridian.weiss, action, "verification", **verdict)
    assert (closed["status"], closed["cycle"]) == ("closed", 1)
    assert closed["cycles"][0]["verification"]["by"] == "p-weiss"
    assert closed["escalations"] == [], "nothing was ever late"


def the_finding_is_verified_and_the_audit_closed(
    meridian: Meridian, audit: Object, finding: Object, action: Object
) -> None:
    meridian.settle()
    [followed] = meridian.weiss.get("audit", f"findings/{finding['id']}")["corrective_actions"]
    assert (followed["action"], followed["number"]) == (action["id"], action["number"])
    assert followed["standing"] == "closed-effective"
    verified = verify_finding(meridian, finding, "2026-06-13T22:00:00Z")
    assert verified["status"] == "verified"
    assert verified["verification"]["by"] == "p-weiss"
    closed = meridian.okafor.act("audit", f"audits/{audit['id']}", "closure")
    assert closed["status"] == "closed"


def verify_finding(meridian: Meridian, finding: Object, seen: str) -> Object:
    proof = {"note": "All 14 services have an SLA", "evidence": [meridian.evidence(seen, "Service catalogue v9")]}
    verified: Object = meridian.weiss.act("audit", f"findings/{finding['id']}", "verification", proof)
    return verified


def the_causal_chain_can_be_followed(
    meridian: Meridian, finding: Object, action: Object, slas: Sequence[Object]
) -> None:
    """From effect back to cause, across services, by nothing but the histories of the objects."""
    found = history(meridian, "audit", f"findings/{finding['id']}")
    acted = history(meridian, "improvement", f"corrective-actions/{action['id']}")
    assert [entry["type"] for entry in found] == [
        "finding-raised",
        "finding-issued",
        "finding-action-followed",
        "finding-action-followed",
        "finding-verified",
    ]
    raised, issued, heard_opened, heard_closed, verified = found
    opened, closed = acted[0], acted[-1]
    assert (opened["type"], closed["type"]) == ("corrective-action-opened", "corrective-action-closed")
    assert opened["causation"] == issued["id"]
    assert heard_opened["causation"] == opened["id"]
    assert heard_closed["causation"] == closed["id"]
    assert issued["correlation"] == opened["correlation"] == heard_opened["correlation"]
    assert closed["correlation"] == heard_closed["correlation"] != opened["correlation"]
    assert [entry["by"]["person"] for entry in (raised, issued, closed, verified)] == ["p-weiss"] * 4
    the_reading_that_proved_it_leads_to_an_sla(meridian, slas)


def the_reading_that_proved_it_leads_to_an_sla(meridian: Meridian, slas: Sequence[Object]) -> None:
    """To whichever of them was heard of last: different streams are heard in any order."""
    [measure] = meridian.keller.all("improvement", "measures", measure="services-without-sla")
    readings = [
        entry
        for entry in history(meridian, "improvement", f"measures/{measure['id']}")
        if entry["type"] == "reading-taken"
    ]
    counted = {entry["id"]: entry for entry in history(meridian, "sla", "coverage")}
    agreed = {entry["id"]: entry for sla in slas for entry in history(meridian, "sla", f"slas/{sla['id']}")}
    proof = counted[readings[-1]["causation"]]
    assert proof["data"]["without_sla"] == []
    assert agreed[proof["causation"]]["type"] == "sla-activated"


def history(meridian: Meridian, service: str, path: str) -> list[Object]:
    return list(meridian.weiss.all(service, f"{path}/history"))
