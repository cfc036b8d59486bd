"""The risk that all code lies with one host: accepted, back when a breach voids the acceptance, and treated."""

from stack.client import Object
from stack.demo.cast import LINDQVIST, RUIZ
from stack.demo.stage import Missing, Stage

CRITERIA: Object = {
    "likelihood": ["rare", "unlikely", "possible", "likely", "almost certain"],
    "impact": ["negligible", "minor", "moderate", "major", "severe"],
    "limit": 12,
    "bands": [
        {"name": "low", "up_to": 6, "approver": "risk-manager", "review_every_days": 365},
        {"name": "medium", "up_to": 12, "approver": "cio", "review_every_days": 180},
        {"name": "high", "up_to": 25, "approver": "top-management", "review_every_days": 90},
    ],
    "breaches_per_step": 1,
    "zone": "Europe/Berlin",
}
RISK: Object = {
    "title": "All code lies with one host",
    "kind": "threat",
    "source": "other-party",
    "customer_impact": "Nobody can fetch sources or report issues",
    "cause": "One host, no mirror",
    "event": "The host is down",
    "consequence": "No releases until it is back",
    "owner": RUIZ.id,
    "reference": "R-017",
}
ASSESSMENT: Object = {
    "inherent": {"likelihood": 4, "impact": 4},
    "current": {"likelihood": 3, "impact": 4},
    "rationale": "Two failures in three years",
}
TREATMENT: Object = {
    "option": "modify",
    "target": {"likelihood": 2, "impact": 4},
    "actions": [{"title": "Mirror all code", "owner": RUIZ.id, "due": "2026-10-31", "expected_level": 8}],
    "rationale": "A mirror costs less than a day without releases",
}


def accept_the_risk(stage: Stage, service: str) -> Object:
    """By the CIO, after the owner has tried in vain; the risk as it was registered."""
    change = {"criteria": CRITERIA, "reason": "The board set the limit for the year 2026"}
    stage.act(LINDQVIST, "risk", "criteria", "versions", change, "sets the limit for risks to 12")
    registered = {**RISK, "services": [service]}
    risk = stage.make(RUIZ, "risk", "risks", registered, "registers {number} (R-017): all code lies with one host")
    path = f"risks/{risk['id']}"
    stage.act(RUIZ, "risk", path, "assessments", ASSESSMENT, "assesses {number}: 3 x 4 = 12")
    stage.settle()
    accepted = {"approver": RUIZ.id, "assessment": 1, "reason": "A mirror is planned", "until": "2026-09-30"}
    stage.refused(RUIZ, "risk", path, "acceptance", accepted, "accepts her own risk", "K-05")
    by_cio = {**accepted, "approver": LINDQVIST.id}
    stage.act(LINDQVIST, "risk", path, "acceptance", by_cio, "accepts {number} until 2026-09-30")
    stage.settle()
    return risk


def see_the_risk_return(stage: Stage, risk: Object, service: str) -> None:
    """A breach raised the likelihood: the acceptance is void, and the risk has an action of its own."""
    now = stage.get("risk", f"risks/{risk['id']}")
    if now["acceptance"] is not None:
        raise Missing([f"the acceptance of {now['number']} still holds after a breach of {service}"])
    action = stage.action_for(risk["id"], f"risk {now['number']}")
    saying = f"plans a treatment of {{number}}, as {action['number']} asks"
    stage.act(RUIZ, "risk", f"risks/{risk['id']}", "treatment", TREATMENT, saying)
