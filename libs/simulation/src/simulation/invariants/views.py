"""What services know of each other: every source is in exactly one action, and every view equals its origin."""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any
from uuid import UUID

from contracts.audit import NONCONFORMITIES
from improvement_service.corrective_actions.state import OVER, CorrectiveAction
from simulation.invariants.reading import Complaints, aggregates_of, states_of
from simulation.world import Site, World

OCCASIONS: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "audit": lambda name, body: (
        name in ("audit.finding.finding-issued", "audit.finding.finding-amended") and body["grade"] in NONCONFORMITIES
    ),
    "sla": lambda name, _: name == "sla.period.breach-confirmed",
    "risk": lambda name, _: name == "risk.risk.risk-above-limit",
}
"""Which announcements (type, body) of a service call for an action."""


def every_source_has_one_action(world: World, tenant: str) -> Complaints:
    """C-01: every finding, breach and risk that calls for an action is in one, and in no two at a time."""
    occasions = _occasions(world, tenant)
    within = [
        (action, entry.source.id)
        for action in states_of(world.sites["improvement"], tenant, "corrective-action").values()
        for entry in (*action.entries, *action.former)
    ]
    actions = Counter(source for _, source in within)
    still = Counter(source for action, source in within if action.status not in OVER and action.entry_of(source))
    for source, count in occasions.items():
        if not actions[source]:
            yield f"lost: source {source} is in no action"
        if actions[source] > count:
            yield f"duplicated: source {source} is in {actions[source]} actions, for {count} occasions"
        if still[source] > 1:
            yield f"duplicated: source {source} is in {still[source]} actions at a time"
    for source in actions.keys() - occasions.keys():
        yield f"phantom: there is an action for {source}, which never called for one"


def _occasions(world: World, tenant: str) -> Counter[UUID]:
    """How often each source was said to call for an action, also by what its service has lost since."""
    found: Counter[UUID] = Counter()
    for name, calls in OCCASIONS.items():
        told = _told(world.sites[name], tenant)
        found.update(stream for stream, said, body in told if calls(said, json.loads(body)))
    return found


def _told(site: Site, tenant: str) -> Iterator[tuple[UUID, str, str]]:
    """All that a service has announced of a tenant: about what, which type, which body."""
    tables = site.database.tables
    for event in tables.events:
        if event.tenant == tenant and event.public_type and event.public_body:
            yield event.stream, event.public_type, event.public_body
    for lost in (each.lost for each in tables.decided()):
        if lost.tenant == tenant:
            yield lost.stream, ".".join(lost.message.subject.split(".")[2:5]), lost.message.body.decode()


def findings_follow(world: World, tenant: str) -> Complaints:
    """A finding knows how the actions stand whose source it is."""
    findings = states_of(world.sites["audit"], tenant, "finding")
    for id, action in states_of(world.sites["improvement"], tenant, "corrective-action").items():
        for source in action.sources:
            if source.id not in findings:
                continue
            known = {each.action: each.standing for each in findings[source.id].corrective_actions}
            if known.get(id) != _standing(action):
                yield f"finding {source.id} knows of {action.number}: {known.get(id)}, it is {_standing(action)}"


def _standing(action: CorrectiveAction) -> str:
    over = {"closed": "closed-effective", "cancelled": "cancelled"}
    return over.get(action.status) or ("reopened" if len(action.cycles) > 1 else "open")


def duties_known(world: World, tenant: str) -> Complaints:
    """P-01: each service's view of the duties is that of the audit service."""
    told = {
        each.person: set(each.assignments) for each in states_of(world.sites["audit"], tenant, "role-holder").values()
    }
    for site in world.sites.values():
        if "known-duty" not in aggregates_of(site):
            continue
        known = {each.person: set(each.assignments) for each in states_of(site, tenant, "known-duty").values()}
        if known != told:
            yield f"{site.name} knows other duties: {known} instead of {told}"
        by_role = [each for roster in states_of(site, tenant, "role-roster").values() for each in roster.assignments]
        if Counter(by_role) != Counter(each for duties in told.values() for each in duties):
            yield f"{site.name} has other rosters: {by_role}"


def coverage_counted(world: World, tenant: str) -> Complaints:
    """S-01: coverage knows the services and agreements that there are."""
    sla = world.sites["sla"]
    listed = {each.key for each in states_of(sla, tenant, "service").values() if each.status == "listed"}
    agreed = {(each.service, id) for id, each in states_of(sla, tenant, "sla").items() if each.status == "active"}
    coverage = states_of(sla, tenant, "coverage").values()
    counted = {each for of_all in coverage for each in of_all.services}
    known = {(each.service, each.sla) for of_all in coverage for each in of_all.agreements}
    if (counted, known) != (listed, agreed):
        yield f"coverage counts {counted} and {known}, and the catalogue has {listed} and {agreed}"


def outages_measured(world: World, tenant: str) -> Complaints:
    """Whatever is judged by the longest outage knows the outages that were reported."""
    reported = {
        (state.service, each.name, each.started_at)
        for state in states_of(world.sites["sla"], tenant, "outages").values()
        for each in state.outages
    }
    known = {
        (state.subject, each.name, each.since)
        for state in states_of(world.sites["improvement"], tenant, "measure").values()
        if state.measure == "longest-outage"
        for each in state.readings
    }
    if known != reported:
        yield f"outages: {known ^ reported} are not known to both"


def risks_linked(world: World, tenant: str) -> Complaints:
    """K-06: each risk is linked to its services."""
    site = world.sites["risk"]
    links = {
        (each.service, link.risk) for each in states_of(site, tenant, "service-risks").values() for link in each.risks
    }
    wanted = {(service, id) for id, risk in states_of(site, tenant, "risk").items() for service in risk.services}
    if links != wanted:
        yield f"links of services to risks: {links ^ wanted}"
