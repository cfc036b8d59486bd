"""2026: an audit finds a service without an SLA; the loop runs to its end (scenario 1, with its dates and people)."""

from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from stack.client import Object, eventually
from stack.demo.agreements import agree, availability_target, list_service
from stack.demo.cast import KELLER, LINDQVIST, OKAFOR, RUIZ, WEISS
from stack.demo.remedies import Remedy, Task, begin, finish_tasks, verify
from stack.demo.stage import Missing, Stage

BERLIN = ZoneInfo("Europe/Berlin")
CRITERION = {"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": "8.3.3"}
CATALOGUE = {
    "SVC-ERP": "Enterprise resource planning",
    "SVC-MAIL": "Mail",
    "SVC-NET": "Network",
    "SVC-DNS": "Name service",
    "SVC-WEB": "Web hosting",
    "SVC-CRM": "Customer relations",
    "SVC-DWH": "Data warehouse",
    "SVC-FILE": "File storage",
    "SVC-BACKUP": "Backup",
    "SVC-PRINT": "Printing",
    "SVC-VOICE": "Telephony",
    "SVC-VPN": "Remote access",
    "SVC-IAM": "Identities",
    "SVC-WIKI": "Knowledge base",
}
WITHOUT_SLA = ("SVC-MAIL", "SVC-BACKUP", "SVC-WIKI")
"""The audit's sample shows the first; the others come to light when somebody looks for the extent."""
DUE = date(2026, 5, 13)

REMEDY = Remedy(
    correction="Interim targets for SVC-MAIL agreed with Halden Bank by letter.",
    whys=(
        "SVC-MAIL has no SLA, because nobody drafted one.",
        "Nobody drafted one, because onboarding did not ask for it.",
        "The onboarding checklist has no SLA gate.",
    ),
    extent="All 14 services were compared with the SLAs: 2 more have none.",
    found_elsewhere=WITHOUT_SLA[1:],
    tasks=(
        Task(f"Agree SLAs for {', '.join(WITHOUT_SLA)}", "Three SLAs are signed and in force", RUIZ),
        Task("Put an SLA gate into the onboarding checklist", "Checklist v4 is in use", KELLER),
    ),
    criterion="No service is without an active SLA for 60 days.",
    window_days=60,
    measure={"measure": "services-without-sla", "threshold": "0"},
    due=date(2026, 4, 15),
)


def at(month: int, day: int, hour: int = 10) -> datetime:
    """A moment of 2026 in Berlin."""
    return datetime(2026, month, day, hour, tzinfo=BERLIN)


def play(stage: Stage, halfway: Callable[[], None] = lambda: None) -> None:
    """From the audit to the finding that is verified; `halfway` is called while the effect is being measured."""
    stage.timeline.chapter("2026: an audit finds a service without an SLA, and the loop closes", at(1, 12))
    stage.go_to(at(1, 12))
    for key, name in CATALOGUE.items():
        list_service(stage, key, name, "TeleNord" if key == "SVC-NET" else None)
    covered = [key for key in CATALOGUE if key not in WITHOUT_SLA]
    for key in covered:
        _agree(stage, key)
    stage.timeline.did(RUIZ, f"lists {len(CATALOGUE)} services; {len(covered)} of them have an SLA")
    stage.settle()
    audit = _audit(stage)
    finding = _finding(stage, audit)
    action = _correct(stage, finding)
    halfway()
    _prove(stage, action)
    _follow_up(stage, audit, finding)


def _agree(stage: Stage, service: str) -> Object:
    target = availability_target("availability", Decimal("99.9"))
    return agree(stage, service, "halden-bank", [target], BERLIN.key, stage.now.date(), "monitor")


def _audit(stage: Stage) -> Object:
    plan = {
        "title": "Service level management 2026",
        "objectives": ["See whether every service in the catalogue is covered by an agreement"],
        "criteria": [CRITERION],
        "scope": {
            "services": list(CATALOGUE),
            "processes": ["Service level management"],
            "period_from": "2025-02-01",
            "period_to": "2026-01-31",
        },
        "method": "Examination of documents, interviews",
        "starts_on": "2026-02-10",
        "ends_on": "2026-02-13",
        "zone": BERLIN.key,
        "look_back_months": 12,
    }
    own_work = {"lead": RUIZ.id, "members": [], "reason": "She knows the services best"}
    planned = {"plan": plan, "lead": WEISS.id}
    audit = stage.make(OKAFOR, "audit", "audits", planned, "plans {number}, criterion 8.3.3, led by J. Weiss")
    path = f"audits/{audit['id']}"
    stage.refused(OKAFOR, "audit", path, "team", own_work, "lets M. Ruiz audit her own services", "A-06")
    stage.act(WEISS, "audit", path, "preparation", {})
    return audit


def _finding(stage: Stage, audit: Object) -> Object:
    stage.go_to(at(2, 10))
    path = f"audits/{audit['id']}"
    stage.act(WEISS, "audit", path, "start", {}, "starts {number}")
    evidence = _evidence(stage, "Service catalogue v7")
    result = {"criterion": CRITERION, "outcome": "finding", "evidence": [evidence]}
    stage.act(WEISS, "audit", path, "results", result, "compares 14 of 14 services with their SLAs")
    raised = {
        "audit": audit["id"],
        "criterion": CRITERION,
        "service": WITHOUT_SLA[0],
        "grade": "major",
        "statement": "SVC-MAIL is delivered without an agreed SLA",
        "evidence": [evidence],
    }
    finding = stage.make(WEISS, "audit", "findings", raised, "raises {number}: SVC-MAIL has no SLA")
    stage.go_to(at(2, 12))
    stage.act(WEISS, "audit", f"findings/{finding['id']}", "issue", {}, "issues {number} as a major nonconformity")
    stage.act(WEISS, "audit", path, "fieldwork-completion", {})
    report = {"recipients": [LINDQVIST.id], "summary": "One major nonconformity: SVC-MAIL has no agreement"}
    stage.act(WEISS, "audit", path, "report", report)
    stage.act(LINDQVIST, "audit", path, "report-acknowledgement", {}, "acknowledges the report of {number}")
    stage.settle()
    return finding


def _evidence(stage: Stage, source: str) -> Object:
    return {
        "source": source,
        "method": "examine",
        "sample_size": len(CATALOGUE),
        "population": len(CATALOGUE),
        "collected_at": stage.now.isoformat(),
        "collector": WEISS.id,
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }


def _correct(stage: Stage, finding: Object) -> Object:
    action = stage.action_for(finding["id"], f"finding {finding['number']}")
    if action["due"] != DUE.isoformat():
        raise Missing([f"{action['number']} is due {action['due']}, the policy says {DUE}"])
    stage.go_to(at(2, 16))
    begin(stage, action, REMEDY)
    stage.go_to(at(2, 25))
    for service in WITHOUT_SLA:
        _agree(stage, service)
    stage.timeline.did(RUIZ, f"signs the SLAs of {', '.join(WITHOUT_SLA)}")
    stage.settle()
    finish_tasks(stage, action, REMEDY)
    return action


def _prove(stage: Stage, action: Object) -> None:
    path, verdict = f"corrective-actions/{action['id']}", {"verdict": "effective", "evidence": "Looks good."}
    stage.go_to(at(3, 31))
    stage.refused(WEISS, "improvement", path, "verification", verdict, f"verifies {action['number']} early", "C-09")
    stage.go_to(at(4, 28))
    stage.refused(RUIZ, "improvement", path, "verification", verdict, f"verifies her own {action['number']}", "C-09")
    verify(stage, action, "The count of services without SLA stayed 0 for 60 days.")
    stage.settle()


def _follow_up(stage: Stage, audit: Object, finding: Object) -> None:
    path = f"findings/{finding['id']}"

    def heard() -> bool:
        actions = stage.get("audit", path)["corrective_actions"]
        return bool(actions) and actions[-1]["standing"] == "closed-effective"

    try:
        eventually(heard, "the audit service hears of the closed action", stage.patience)
    except AssertionError:
        raise Missing([f"finding {finding['number']} did not hear that its action was closed as effective"]) from None
    stage.act(WEISS, "audit", f"audits/{audit['id']}", "follow-up", {}, "begins the follow-up of {number}")
    proof = {"note": "All 14 services have an agreement", "evidence": [_evidence(stage, "Service catalogue v9")]}
    stage.act(WEISS, "audit", path, "verification", proof, "sees {number} gone and verifies it")
    stage.act(OKAFOR, "audit", f"audits/{audit['id']}", "closure", {}, "closes {number}")
