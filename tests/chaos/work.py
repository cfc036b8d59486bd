"""What the people do all the time: raise findings, agree and report outages, assess risks, work corrective actions.

Each of them is a step that is repeated. Services are shared between them, so that their sources meet in one action.
"""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from desk import Desk, Object

ZONE = "Europe/Berlin"
MORNING = "2026-04-14T08:00:00+02:00"
ALLOWED = timedelta(minutes=43.2)
"""Per month of 30 days, at 99.9 %."""
SOON = 0.5
"""Seconds."""
DUTIES = {"p-ruiz": "service-level-manager", "p-keller": "process-owner", "p-lindqvist": "cio"}
FINDINGS_PER_AUDIT = 40
SERVICES_PER_AUDIT = 20
CUSTOMERS = ("halden-bank", "nordsee-line", "city-clinic")
"""Each has an agreement of its own, so that one outage is several breaches."""


def prepare(desk: "Desk") -> None:
    """People with duties, and a policy by which sources of one service meet in one action."""
    for person, role in DUTIES.items():
        appoint(desk, person, role)
    policy = desk.get("p-lindqvist", "improvement", "policy")
    grouped = {"policy": {**policy["policy"], "grouping": "service"}, "reason": "One action for each service"}
    desk.act("p-lindqvist", "improvement", "policy", "versions", grouped, policy)


def appoint(desk: "Desk", person: str, role: str) -> None:
    """It reaches the other services over the bus."""
    body = {"person": person, "role": role, "service": None, "since": "2025-01-01", "until": None}
    desk.post("p-okafor", "audit", "role-holders", body)


def shared_service(step: int) -> str:
    """The service that the step of that number is about: each worker passes the same ones."""
    return f"SVC-{step // 2}"


class Auditor:
    """Raises findings and issues them; now and then a new audit, and somebody new in a role."""

    def __init__(self, desk: "Desk") -> None:
        """No audit is under way yet."""
        self._desk = desk
        self._step = 0
        self._audit: Object = {}
        self._clause = ""

    def __call__(self) -> None:
        """One finding; every fourth is an observation, which must lead to no action."""
        if self._step % FINDINGS_PER_AUDIT == 0:
            self._begin_audit()
        if self._step % 25 == 24:
            appoint(self._desk, f"p-helper-{self._step}", "service-operator")
        grade = ("major", "minor", "minor", "observation")[self._step % 4]
        body = {
            "audit": self._audit["id"],
            "criterion": self._criterion(),
            "service": shared_service(self._step),
            "grade": grade,
            "statement": f"Finding {self._step}",
            "evidence": [_evidence()],
        }
        finding = self._desk.post("p-weiss", "audit", "findings", body)
        self._step += 1
        self._desk.act("p-weiss", "audit", f"findings/{finding['id']}", "issue", {}, finding)

    def forget(self) -> None:
        """The audit may be gone: begin another one."""
        self._step += -self._step % FINDINGS_PER_AUDIT

    def _criterion(self) -> "Object":
        return {"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": self._clause}

    def _begin_audit(self) -> None:
        first, number = self._step // 2, self._step // FINDINGS_PER_AUDIT
        self._clause = f"8.{number + 1}"
        scope = {
            "services": [f"SVC-{first + each}" for each in range(SERVICES_PER_AUDIT)],
            "processes": ["Service level management"],
            "period_from": "2025-02-01",
            "period_to": "2026-01-31",
        }
        plan = {
            "title": f"Audit {number}",
            "objectives": ["See whether the services are what was agreed"],
            "criteria": [self._criterion()],
            "scope": scope,
            "method": "Examination of documents",
            "starts_on": "2026-04-14",
            "ends_on": "2026-04-17",
            "zone": ZONE,
            "look_back_months": 12,
        }
        audit = self._desk.post("p-okafor", "audit", "audits", {"plan": plan, "lead": "p-weiss"})
        for step in ("preparation", "start"):
            audit = self._desk.act("p-weiss", "audit", f"audits/{audit['id']}", step, {}, audit) or audit
        self._audit = audit


class ServiceDesk:
    """Lists a service, agrees about it with several customers, and reports an outage that is too long for each."""

    def __init__(self, desk: "Desk") -> None:
        """No service is listed yet."""
        self._desk = desk
        self._number = 0

    def __call__(self) -> None:
        """One service."""
        service, self._number = f"SVC-{self._number}", self._number + 1
        listed = {"key": service, "name": service, "owner": "p-ruiz", "supplier": None}
        self._desk.post("p-ruiz", "sla", "services", listed)
        for customer in CUSTOMERS:
            self._agree(service, customer)
        lasting = self._number % 2 == 0
        sample = self._lasting() if lasting else self._over()
        body = {"service": service, "source": "monitor", "samples": [{"id": f"INC-{self._number}", **sample}]}
        self._desk.post("p-monitor", "sla", "measurements", body)
        if lasting:
            time.sleep(SOON)  # a pause begins behind it: whoever looks then must find it too long

    def _agree(self, service: str, customer: str) -> None:
        terms = {
            "parties": [{"name": "Meridian", "role": "provider"}, {"name": customer, "role": "customer"}],
            "targets": [{"metric": "availability", "key": "availability", "percent": "99.9"}],
            "time_zone": ZONE,
            "measurement": {"source": "monitor", "method": "Synthetic login every minute"},
            "review_every_days": 90,
            "audience": [customer],
            "effective_from": "2026-04-01",
        }
        sla = self._desk.post("p-ruiz", "sla", "slas", {"service": service, "customer": customer, "terms": terms})
        for side, person in (("provider", "p-ruiz"), ("customer", "p-customer")):
            signature = {"side": side, "person": person, "on": "2026-04-01"}
            sla = self._desk.act("p-ruiz", "sla", f"slas/{sla['id']}", "signature", signature, sla) or sla

    def _over(self) -> "Object":
        """75 minutes, and over."""
        return {"started_at": "2026-04-14T09:10:00+02:00", "ended_at": "2026-04-14T10:25:00+02:00"}

    def _lasting(self) -> "Object":
        """Still going on: soon, nobody reporting anything more, it will have been too long."""
        started = self._desk.business_time() - ALLOWED + timedelta(seconds=SOON)
        return {"started_at": started.isoformat(), "ended_at": None}


class RiskManager:
    """Registers risks and assesses them: above the limit, all but every third."""

    def __init__(self, desk: "Desk") -> None:
        """The register is empty."""
        self._desk = desk
        self._step = 0

    def __call__(self) -> None:
        """One risk."""
        self._step += 1
        described = {
            "title": f"Risk {self._step}",
            "kind": "threat",
            "source": "organization",
            "services": [shared_service(self._step)],
            "customer_impact": "Nobody can book",
            "cause": "Full disks",
            "event": "The database stops",
            "consequence": "No bookings",
            "owner": "p-ruiz",
        }
        risk = self._desk.post("p-vogt", "risk", "risks", described)
        rating = {"likelihood": 4, "impact": 4} if self._step % 3 else {"likelihood": 1, "impact": 4}
        assessed = {"inherent": rating, "current": rating, "rationale": "Seen before"}
        self._desk.act("p-vogt", "risk", f"risks/{risk['id']}", "assessments", assessed, risk)


class ActionOwner:
    """Takes corrective actions, newest first, and works each to the end of what can be done today."""

    def __init__(self, desk: "Desk") -> None:
        """With nothing on the desk."""
        self._desk = desk
        self._desk_is: list[Object] = []
        self._taken: set[str] = set()

    def __call__(self) -> None:
        """One action; while there is none, look again in a moment."""
        if not self._desk_is:
            page = self._desk.get(
                "p-keller", "improvement", "corrective-actions", status="opened", sort="-id", limit=20
            )
            self._desk_is = [each for each in page["items"] if each["id"] not in self._taken]
        if self._desk_is:
            action = self._desk_is.pop()
            self._taken.add(action["id"])
            self._work(action)
        else:
            self._desk.rest(0.2)

    def _work(self, action: "Object") -> None:
        steps = CORRECTION_ONLY if _from_findings_alone(action) else WITH_A_PLAN
        for person, name, body in steps:
            path = f"corrective-actions/{action['id']}"
            if name == "verification" and not _from_findings_alone(action):
                return
            while (done := self._desk.act(person, "improvement", path, name, body(action), action)) is None:
                before, action = action, self._desk.get(person, "improvement", path)
                if action["version"] == before["version"] or action["status"] in ("closed", "cancelled"):
                    return  # it was not another's haste, but a step that is not possible any more
            action = done


def _from_findings_alone(action: "Object") -> bool:
    """Only such may be closed here: news of a risk would rightly open a second action after that."""
    return {entry["source"]["kind"] for entry in action["entries"]} == {"finding"}


Step = tuple[str, str, Callable[["Object"], "Object"]]
CORRECT: Step = ("p-keller", "corrections", lambda _: {"correction": "Disk cleared, service restarted."})
CAUSE = {"key": "cause-1", "statement": "The log disk fills up unseen.", "verified": True}


def _plan(action: "Object") -> "Object":
    task = {
        "key": "task-1",
        "cause": "cause-1",
        "what": "Alarm at 80 % of the log disk",
        "expected_result": "The alarm rings",
        "owner": "p-keller",
        "due": "2026-05-01",
    }
    criterion = {
        "statement": "No outage above 15 minutes for 60 days",
        "measure": "longest-outage",
        "subject": action["service"],
        "threshold": "15",
        "window_days": 60,
        "verifier": "p-weiss",
    }
    return {"tasks": [task], "criterion": criterion}


CORRECTION_ONLY: tuple[Step, ...] = (
    CORRECT,
    ("p-keller", "need", lambda _: {"needed": False, "rationale": "It was a slip."}),
    ("p-weiss", "verification", lambda _: {"verdict": "effective", "evidence": "Seen."}),
)
WITH_A_PLAN: tuple[Step, ...] = (
    CORRECT,
    ("p-keller", "need", lambda _: {"needed": True, "rationale": "It would happen again."}),
    ("p-keller", "analyses", lambda _: {"method": "five-whys", "chain": ["The disk was full."], "causes": [CAUSE]}),
    ("p-keller", "extents", lambda _: {"exists_elsewhere": False, "could_occur": True, "answer": "Nowhere else."}),
    ("p-ruiz", "plans", _plan),
    ("p-lindqvist", "plan-decision", lambda _: {"approved": True, "reason": "It removes the cause."}),
    ("p-keller", "completions", lambda _: {"task": "task-1", "evidence": "The alarm was tested."}),
)


def _evidence() -> "Object":
    return {
        "source": "Service catalogue v7",
        "method": "examine",
        "sample_size": 14,
        "population": 14,
        "collected_at": MORNING,
        "collector": "p-weiss",
        "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    }


WORKERS = {"auditor": Auditor, "service desk": ServiceDesk, "risk manager": RiskManager, "action owner": ActionOwner}
