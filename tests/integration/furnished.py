"""A stack on which one object of each kind exists, for those who try all doors."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from doors import SERVICES, Doors
from meridian import Meridian
from world import World

from stack.cluster import Stack

EVERYTHING = (
    "auditor",
    "audit-programme-manager",
    "service-level-manager",
    "process-owner",
    "risk-manager",
    "cio",
    "top-management",
    "auditee",
    "monitor",
    "operator",
)
"""Together these roles have every permission."""


@dataclass(frozen=True)
class Furnished:
    """The organisation, and somebody at its doors who may do everything."""

    meridian: Meridian
    doors: Doors


@contextmanager
def furnished_stack() -> Iterator[Furnished]:
    """Started and furnished; stopped and removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="closeloop-story-") as folder:
        Path(folder).chmod(0o711)
        start = datetime.fromisoformat("2026-02-01T08:00:00+00:00")
        with Stack(Path(folder), durable=False, clock_start=start) as stack:
            meridian = Meridian(World(stack))
            one_of_each_kind(meridian)
            yield Furnished(meridian, doors_of(stack))


def doors_of(stack: Stack) -> Doors:
    addresses = {name: stack.addresses[name] for name in SERVICES}
    doors = Doors(addresses, stack.mint("p-tester", EVERYTHING))
    for operation in doors.operations("GET"):
        if "sort" in operation.query:
            found = doors.try_out(operation).json()["items"]
            doors.ids[operation.service, operation.collection] = found[0]["id"]
    return doors


def one_of_each_kind(meridian: Meridian) -> None:
    meridian.appoint_everybody()
    meridian.list_service("SVC-ERP")
    meridian.agree("SVC-ERP", starts="2026-02-01")
    register_a_risk(meridian)
    meridian.at("2026-02-10T12:00:00+01:00")
    meridian.report_outage("SVC-ERP", "MON-1", "2026-02-10T09:10:00+01:00", "2026-02-10T10:25:00+01:00")
    audit = meridian.plan_audit(["SVC-ERP"], "2026-02-10", "2026-02-13")
    meridian.start_audit(audit)
    finding = meridian.raise_finding(audit, "SVC-ERP", "minor", "One SLA is late", "2026-02-10T11:00:00+01:00")
    meridian.issue(finding)
    meridian.settle()
    action = meridian.action_of(finding["id"])
    meridian.work(meridian.ruiz, action, "corrections", correction="The SLA was signed.")
    meridian.work(meridian.ruiz, action, "need", needed=False, rationale="It was a slip.")
    meridian.work(meridian.weiss, action, "verification", verdict="effective", evidence="Seen.")
    meridian.settle()


def register_a_risk(meridian: Meridian) -> None:
    risk = {
        "title": "SVC-ERP fails",
        "kind": "threat",
        "source": "organization",
        "services": ["SVC-ERP"],
        "customer_impact": "Halden Bank cannot book",
        "cause": "Full disks",
        "event": "The database stops",
        "consequence": "No bookings",
        "owner": "p-ruiz",
    }
    meridian.world.person("p-vogt", "risk-manager").post("risk", "risks", risk)
    meridian.settle()
