"""Meridian Managed Services, its people and its habits: what every story over HTTP begins with."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from world import World

from stack.client import Caller, Object, Rejected, eventually, move_clock, settle

ZONE = "Europe/Berlin"
CUSTOMER = "halden-bank"
SLM = {"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": "8.3.3"}
AVAILABILITY = {"metric": "availability", "key": "availability", "percent": "99.9"}
CATALOGUE = (
    "SVC-ERP",
    "SVC-MAIL",
    "SVC-NET",
    "SVC-DNS",
    "SVC-WEB",
    "SVC-CRM",
    "SVC-DWH",
    "SVC-FILE",
    "SVC-BACKUP",
    "SVC-PRINT",
    "SVC-VOICE",
    "SVC-VPN",
    "SVC-IAM",
    "SVC-WIKI",
)
"""The 14 services of catalogue v7."""
SUPPLIERS = {"SVC-NET": "TeleNord"}
STANDING_DUTIES = {
    "p-ruiz": "service-level-manager",
    "p-keller": "process-owner",
    "p-lindqvist": "cio",
}
"""Who answers for what in the whole organisation; a token only opens doors."""


class Meridian:
    """The organisation on a running stack: its people as callers, and what they do all the time."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.operator = world.operator
        self.okafor = world.person("p-okafor", "audit-programme-manager")
        self.weiss = world.person("p-weiss", "auditor")
        self.brandt = world.person("p-brandt", "auditor")
        self.ruiz = world.person("p-ruiz", "service-level-manager")
        self.keller = world.person("p-keller", "process-owner")
        self.lindqvist = world.person("p-lindqvist", "cio")
        self.monitor = world.person("p-monitor", "monitor")

    # --- time ---------------------------------------------------------------------------------------------------------

    def at(self, moment: str) -> None:
        """Business time goes on to that moment, and everything due by then is done."""
        move_clock(self.operator, moment)

    def settle(self) -> None:
        """Whatever was said has been heard by everybody."""
        settle(self.operator)

    # --- who answers for what -----------------------------------------------------------------------------------------

    def appoint(
        self, person: str, role: str, since: str = "2025-01-01", service: str | None = None, until: str | None = None
    ) -> Object:
        """A dated role assignment; it reaches the other services over the bus."""
        body = {"person": person, "role": role, "service": service, "since": since, "until": until}
        assigned: Object = self.okafor.post("audit", "role-holders", body)
        return assigned

    def appoint_everybody(self) -> None:
        """The service level manager, the process owner and the CIO, for all services since 2025."""
        for person, role in STANDING_DUTIES.items():
            self.appoint(person, role)
        self.settle()

    # --- services, agreements, measurements ---------------------------------------------------------------------------

    def list_service(self, key: str) -> Object:
        """A service belongs to the catalogue."""
        body = {"key": key, "name": key, "owner": "p-ruiz", "supplier": SUPPLIERS.get(key)}
        listed: Object = self.ruiz.post("sla", "services", body)
        return listed

    def list_services(self, keys: Iterable[str] = CATALOGUE) -> None:
        """Several services belong to the catalogue."""
        for key in keys:
            self.list_service(key)

    def agree(
        self, service: str, starts: str, signed: str | None = None, targets: Sequence[Object] = (AVAILABILITY,)
    ) -> Object:
        """An SLA that both sides sign; in force from the start of its first day in Berlin, or at once."""
        terms = {
            "parties": [{"name": "Meridian", "role": "provider"}, {"name": "Halden Bank", "role": "customer"}],
            "targets": list(targets),
            "time_zone": ZONE,
            "measurement": {"source": "monitor", "method": "Synthetic login every minute"},
            "review_every_days": 90,
            "audience": ["Halden Bank, IT steering"],
            "effective_from": starts,
        }
        sla: Object = self.ruiz.post("sla", "slas", {"service": service, "customer": CUSTOMER, "terms": terms})
        for side, person in (("provider", "p-ruiz"), ("customer", "p-halden")):
            signature = {"side": side, "person": person, "on": signed or starts}
            sla = self.ruiz.act("sla", f"slas/{sla['id']}", "signature", signature)
        return sla

    def report_outage(
        self, service: str, id: str, started_at: str, ended_at: str | None, source: str = "monitor", **more: Any
    ) -> Object:
        """One outage, as one source reports it."""
        sample = {"id": id, "started_at": started_at, "ended_at": ended_at, **more}
        body = {"service": service, "source": source, "samples": [sample]}
        answer: Object = self.monitor.post("sla", "measurements", body)
        return answer

    # --- audits and findings ------------------------------------------------------------------------------------------

    def evidence(self, collected_at: str, source: str = "Service catalogue v7", size: int = 14) -> Object:
        """What an auditor has examined."""
        return {
            "source": source,
            "method": "examine",
            "sample_size": size,
            "population": size,
            "collected_at": collected_at,
            "collector": "p-weiss",
            "hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        }

    def plan_of(
        self, services: Sequence[str], starts: str, ends: str, criteria: Sequence[Object] = (SLM,), **more: Any
    ) -> Object:
        """The plan of an audit of these services."""
        scope = {
            "services": list(services),
            "processes": ["Service level management"],
            "period_from": "2025-02-01",
            "period_to": "2026-01-31",
        }
        return {
            "title": "Service level management 2026",
            "objectives": ["See whether every service in the catalogue is covered by an agreement"],
            "criteria": list(criteria),
            "scope": scope,
            "method": "Examination of documents, interviews",
            "starts_on": starts,
            "ends_on": ends,
            "zone": ZONE,
            "look_back_months": 12,
            **more,
        }

    def plan_audit(
        self,
        services: Sequence[str],
        starts: str,
        ends: str,
        lead: str = "p-weiss",
        criteria: Sequence[Object] = (SLM,),
    ) -> Object:
        """A. Okafor plans an audit."""
        plan = self.plan_of(services, starts, ends, criteria)
        audit: Object = self.okafor.post("audit", "audits", {"plan": plan, "lead": lead})
        return audit

    def start_audit(self, audit: Object) -> None:
        """J. Weiss prepares and starts it (on its first day)."""
        path = f"audits/{audit['id']}"
        self.weiss.act("audit", path, "preparation")
        self.weiss.act("audit", path, "start")

    def raise_finding(
        self,
        audit: Object,
        service: str,
        grade: str,
        statement: str,
        collected_at: str,
        criterion: Object | None = None,
        key: str | None = None,
    ) -> Object:
        """J. Weiss raises a finding in a running audit; nobody hears of it before it is issued."""
        body = {
            "audit": audit["id"],
            "criterion": criterion or SLM,
            "service": service,
            "grade": grade,
            "statement": statement,
            "evidence": [self.evidence(collected_at)],
        }
        finding: Object = self.weiss.post("audit", "findings", body, key=key)
        return finding

    def issue(self, finding: Object) -> Object:
        """J. Weiss issues a finding: from now on its corrective action is due."""
        issued: Object = self.weiss.act("audit", f"findings/{finding['id']}", "issue")
        return issued

    # --- corrective actions -------------------------------------------------------------------------------------------

    def actions(self) -> list[Object]:
        """All corrective actions."""
        return list(self.keller.all("improvement", "corrective-actions"))

    def actions_of(self, source: str) -> list[Object]:
        """Those that have or had this finding, target in a month, or risk as a source."""
        return [
            action
            for action in self.actions()
            if source in [entry["source"]["id"] for entry in (*action["entries"], *action["former"])]
        ]

    def action_of(self, source: str) -> Object:
        """The one action of this source, as soon as it is there."""
        found = eventually(lambda: self.actions_of(source), f"an action for {source}")
        assert len(found) == 1, f"{source} has {len(found)} actions"
        return found[0]

    def action(self, action: Object) -> Object:
        """The same action as it is now."""
        now: Object = self.keller.get("improvement", f"corrective-actions/{action['id']}")
        return now

    def work(self, caller: Caller, action: Object, step: str, **body: Any) -> Object:
        """Somebody does the next step of an action (`corrections`, `need`, `analyses`, ...)."""
        done: Object = caller.act("improvement", f"corrective-actions/{action['id']}", step, body)
        return done


def refused(rejected: Rejected, status: int, rule: str) -> Object:
    """Which rule said no; answers the problem's members."""
    assert (rejected.status, rejected.problem.get("rule")) == (status, rule), str(rejected)
    return rejected.problem


def instant(written: str) -> datetime:
    """For comparing instants whatever offset they were written with."""
    return datetime.fromisoformat(written)
