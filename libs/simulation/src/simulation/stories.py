"""What people do with the four services, each as one story that knows only what its clients were told."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from uuid import UUID

from simulation.clients import Clients

Story = Callable[[Clients], Awaitable[None]]

CRITERION = {"standard": "ISO/IEC 20000-1", "edition": "2018", "clause": "8.3.3"}
EVIDENCE = {
    "source": "Service catalogue v7",
    "method": "examine",
    "sample_size": 14,
    "population": 14,
    "collected_at": "2026-04-14T07:00:00Z",
    "collector": "p-weiss",
}
SERVICES = ("SVC-ERP", "SVC-MAIL", "SVC-NET")
PLAN = {
    "title": "Service level management 2026",
    "objectives": ["See whether every service is covered by an agreement"],
    "criteria": [CRITERION],
    "scope": {
        "services": list(SERVICES),
        "processes": ["Service level management"],
        "period_from": "2025-02-01",
        "period_to": "2026-03-31",
    },
    "method": "Examination of documents",
    "starts_on": "2026-04-14",
    "ends_on": "2026-04-17",
    "zone": "Europe/Berlin",
    "look_back_months": 12,
}
TERMS = {
    "parties": [{"name": "Meridian", "role": "provider"}, {"name": "Halden Bank", "role": "customer"}],
    "targets": [{"metric": "availability", "key": "availability", "percent": "99.9"}],
    "time_zone": "Europe/Berlin",
    "measurement": {"source": "monitor", "method": "Synthetic login every minute"},
    "review_every_days": 90,
    "audience": ["Halden Bank, IT steering"],
    "effective_from": "2026-04-01",
}
RISK = {
    "title": "One line only",
    "kind": "threat",
    "source": "organization",
    "customer_impact": "Halden Bank cannot book",
    "cause": "Full disks",
    "event": "The database stops",
    "consequence": "No bookings",
    "owner": "p-ruiz",
}
ASSESSMENT = {
    "inherent": {"likelihood": 5, "impact": 5},
    "current": {"likelihood": 4, "impact": 4},
    "rationale": "Two failures",
}


async def an_audit(clients: Clients) -> None:
    """An audit is planned and begun, and finds something."""
    planned = await clients.create("audit", "audits", "p-okafor", {"plan": PLAN, "lead": "p-weiss"})
    if planned is None:
        return
    for step in ("preparation", "start"):
        await clients.act("audit", "audits", planned.stream, step, "p-weiss")
    await asyncio.gather(*(_a_finding(clients, planned.stream) for _ in range(clients.chance.randint(1, 3))))


async def _a_finding(clients: Clients, audit: UUID) -> None:
    chance = clients.chance
    body = {
        "audit": str(audit),
        "criterion": CRITERION,
        "service": chance.choice(SERVICES),
        "grade": chance.choice(("major", "minor", "observation")),
        "statement": "Delivered without an agreement",
        "evidence": [EVIDENCE],
    }
    raised = await clients.create("audit", "findings", "p-weiss", body)
    if raised is None:
        return
    await clients.act("audit", "findings", raised.stream, "issue", "p-weiss")
    for _ in range(chance.choice((0, 0, 1, 2))):
        await asyncio.sleep(chance.choice((0.0, 1.0, 5.0)))
        name, person, said = chance.choice(FATES)
        await clients.act("audit", "findings", raised.stream, name, person, said)


FATES: Sequence[tuple[str, str, dict[str, Any]]] = (
    ("amendment", "p-weiss", {"grade": "minor", "statement": "Delivered under an old agreement", "reason": "Found"}),
    ("amendment", "p-weiss", {"grade": "major", "statement": "Delivered without any", "reason": "It was forged"}),
    ("amendment", "p-weiss", {"grade": "observation", "statement": "There is a draft", "reason": "Found"}),
    ("dispute", "p-ruiz", {"reason": "There is an agreement", "evidence": [EVIDENCE]}),
    ("dispute-decision", "p-okafor", {"ruling": "upheld", "reason": "There is none"}),
    ("withdrawal", "p-okafor", {"reason": "Not in operation"}),
)


async def a_service(clients: Clients) -> None:
    """A service is listed and agreed, and fails for longer than it may; sometimes it turns out that it did not."""
    chance = clients.chance
    service = chance.choice(SERVICES)
    await clients.create("sla", "services", "p-ruiz", {"key": service, "name": service, "owner": "p-ruiz"})
    draft = {"service": service, "customer": f"bank-{chance.randint(1, 2)}", "terms": TERMS}
    drafted = await clients.create("sla", "slas", "p-ruiz", draft)
    if drafted:
        for side, person in (("provider", "p-ruiz"), ("customer", "p-halden")):
            signature = {"side": side, "person": person, "on": "2026-04-01"}
            await clients.act("sla", "slas", drafted.stream, "signature", "p-ruiz", signature)
    await asyncio.gather(*(_an_outage(clients, service) for _ in range(chance.randint(1, 2))))


async def _an_outage(clients: Clients, service: str) -> None:
    chance = clients.chance
    id, day = f"INC-{chance.randint(1, 3)}", chance.randint(2, 12)
    started = f"2026-04-{day:02}T09:00:00+02:00"
    source = chance.choice(("monitor", "desk"))

    async def report(id: str, ended: str, corrects: str | None = None) -> bool:
        sample = {"id": id, "started_at": started, "ended_at": f"2026-04-{day:02}T{ended}+02:00", "corrects": corrects}
        body = {"service": service, "source": source, "samples": [sample]}
        return await clients.submit("sla", "measurements", "p-monitor", body)

    reported = await report(id, chance.choice(("09:30:00", "10:15:00")))
    if reported and chance.random() < 0.3:
        await asyncio.sleep(chance.choice((0.0, 3.0)))
        await report(f"{id}-corrected", "09:05:00", corrects=id)


async def a_risk(clients: Clients) -> None:
    """A risk is registered and assessed, mostly as too high."""
    chance = clients.chance
    body = {**RISK, "services": [chance.choice(SERVICES)]}
    registered = await clients.create("risk", "risks", "p-vogt", body)
    if registered is None:
        return
    for _ in range(chance.randint(1, 2)):
        current = {"likelihood": chance.randint(2, 5), "impact": chance.randint(3, 5)}
        said = {**ASSESSMENT, "current": current}
        await clients.act("risk", "risks", registered.stream, "assessments", "p-vogt", said)
        await asyncio.sleep(chance.choice((0.0, 2.0)))


async def an_appointment(clients: Clients) -> None:
    """Somebody answers for something, perhaps only until a day."""
    chance = clients.chance
    person, role = chance.choice((("p-ruiz", "service-level-manager"), ("p-keller", "process-owner")))
    body = {"person": person, "role": role, "service": chance.choice((None, *SERVICES)), "since": "2026-01-01"}
    assigned = await clients.create("audit", "role-holders", "p-okafor", body)
    if assigned and chance.random() < 0.5:
        holder = await clients.get("audit", "role-holders", assigned.stream)
        if not holder.state.assignments:
            return  # an older database was restored meanwhile
        ending = {"assignment": str(holder.state.assignments[-1].assignment), "until": "2026-12-31", "reason": "Moves"}
        await clients.act("audit", "role-holders", assigned.stream, "endings", "p-okafor", ending)


STEPS: dict[str, Sequence[tuple[str, str, dict[str, Any]]]] = {
    "opened": (("corrections", "p-ruiz", {"correction": "Restarted"}),),
    "contained": (
        ("need", "p-ruiz", {"needed": False, "rationale": "It was a slip"}),
        ("owner", "p-okafor", {"owner": "p-keller", "reason": "Knows it"}),
    ),
    "verifying": (
        ("verification", "p-weiss", {"verdict": "effective", "evidence": "Seen"}),
        ("verification", "p-weiss", {"verdict": "ineffective", "evidence": "It came again"}),
    ),
}


async def a_worker(clients: Clients) -> None:
    """Somebody works on whatever actions there are."""
    chance, improvement = clients.chance, clients.world.sites["improvement"]
    for _ in range(chance.randint(2, 12)):
        await asyncio.sleep(chance.choice((0.5, 2.0)))
        states = improvement.database.tables.states
        rows = [id for tenant, kind, id in states if (tenant, kind) == (clients.tenant, "corrective-action")]
        if not rows:
            continue
        action = await clients.get("improvement", "corrective-actions", chance.choice(rows))
        steps = STEPS.get(action.state.status, ())
        if action.state.cancellation_asked:
            steps = (("cancellation-decision", "p-lindqvist", {"approved": chance.random() < 0.7, "reason": "Gone"}),)
        if steps:
            name, person, said = chance.choice(steps)
            await clients.act("improvement", "corrective-actions", action.id, name, person, said)


async def a_stranger(clients: Clients) -> None:
    """Somebody has got hold of the id of another tenant's object; to them there is no such object."""
    for _ in range(clients.chance.randint(1, 4)):
        await asyncio.sleep(clients.chance.choice((1.0, 4.0)))
        service, path, kind, name, person, said = clients.chance.choice(INTERFERENCES)
        states = clients.world.sites[service].database.tables.states
        foreign = [id for tenant, of, id in states if of == kind and tenant != clients.tenant]
        if foreign:
            await _interfere(clients, (service, path, clients.chance.choice(foreign)), name, person, said)


INTERFERENCES: Sequence[tuple[str, str, str, str, str, dict[str, Any]]] = (
    ("audit", "findings", "finding", "withdrawal", "p-okafor", {"reason": "Not in operation"}),
    ("risk", "risks", "risk", "assessments", "p-vogt", ASSESSMENT),
    ("improvement", "corrective-actions", "corrective-action", *STEPS["opened"][0]),
)


async def _interfere(
    clients: Clients, place: tuple[str, str, UUID], name: str, person: str, said: dict[str, Any]
) -> None:
    service, path, id = place
    if (await clients.get(service, path, id)).version:
        clients.bugs.append(f"{clients.tenant} reads {path} {id} of another tenant")
    if await clients.act(service, path, id, name, person, said):
        clients.bugs.append(f"{clients.tenant} changes {path} {id} of another tenant")


STORIES: Sequence[Story] = (an_audit, a_service, a_risk, an_appointment, a_worker, a_stranger)
