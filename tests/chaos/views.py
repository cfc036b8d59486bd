"""What services know of each other: every source is in exactly one action, and every view equals its origin."""

import json
from collections import Counter
from collections.abc import Callable, Collection, Iterable
from typing import Any

from verdict import Verdict

Ask = Callable[[str, str], list[Any]]
"""(service, query) -> rows"""
Source = tuple[str, str]
"""(kind, id)"""

STATES = "SELECT id::text AS id, state FROM states WHERE kind = '{kind}'"
SOURCES = {
    "finding": (
        "audit",
        """SELECT id::text AS id, state->>'number' AS label FROM states WHERE kind = 'finding'
           AND state->>'issued_at' IS NOT NULL AND state->>'grade' IN ('major', 'minor')""",
    ),
    "breach": (
        "sla",
        "SELECT id::text AS id, NULL AS label FROM states WHERE kind = 'period' AND state->>'status' = 'breached'",
    ),
    "risk": (
        "risk",
        """SELECT id::text AS id, state->>'number' AS label FROM states WHERE kind = 'risk'
           AND (state->>'told_above_limit')::int > 0""",
    ),
}
ACTIONS = """
    SELECT id::text AS id, state->>'number' AS number, state->>'status' AS status,
           jsonb_array_length(state->'cycles') AS cycle,
           jsonb_path_query_array(state, '$.entries[*].source') AS sources,
           jsonb_path_query_array(state, '$.former[*].source') AS former
    FROM states WHERE kind = 'corrective-action'
"""


def check_views(ask: Ask, verdict: Verdict, forgiven: Collection[str] = ()) -> None:
    """All of it, each time: what only one service knows is compared nowhere else."""
    actions = [dict(row) for row in ask("improvement", ACTIONS)]
    for each in actions:
        each["sources"], each["former"] = json.loads(each["sources"]), json.loads(each["former"])
    _sources(ask, actions, verdict, forgiven)
    for differing in (_findings(ask, actions), _breaches(ask), _follow_up(ask, actions)):
        verdict.wrong += [what for id, what in differing if id not in forgiven]
    for what, one, other in _twins(ask):
        # Keys carry no ids of objects, but for the last part of some.
        verdict.wrong += [
            f"{what}: {key}" for key in sorted(one ^ other, key=str) if not set(map(str, key)) & set(forgiven)
        ]


# --- sources and actions ----------------------------------------------------------------------------------------------


def _sources(ask: Ask, actions: list[dict[str, Any]], verdict: Verdict, forgiven: Collection[str]) -> None:
    """Every source is in exactly one action, and no action is without a source."""
    wanted: dict[Source, str | None] = {
        (kind, row["id"]): row["label"] for kind, (service, query) in SOURCES.items() for row in ask(service, query)
    }
    held = [(each["kind"], each["id"], each["label"]) for action in actions for each in _all(action)]
    counted = Counter((kind, id) for kind, id, _ in held)
    for kind, id in wanted.keys() | counted.keys():
        if id in forgiven:
            continue
        times = counted[kind, id]
        if (kind, id) not in wanted:
            verdict.phantom.append(f"an action for {kind} {id}, which calls for none")
        elif times == 0:
            verdict.lost.append(f"no action for {kind} {id}")
        elif times > 1:
            verdict.duplicated.append(f"{times} actions for {kind} {id}")
    for action in actions:
        if not _all(action) and action["id"] not in forgiven:
            verdict.phantom.append(f"{action['number']} without a source")
    for kind, id, label in held:
        if wanted.get((kind, id)) not in (None, label):
            verdict.wrong.append(f"an action takes {kind} {id} for {label}, it is {wanted[kind, id]}")


def _all(action: dict[str, Any]) -> list[dict[str, Any]]:
    return [*action["sources"], *action["former"]]


def _findings(ask: Ask, actions: list[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    """Each finding knows its action, and how that stands."""
    wanted: dict[str, list[tuple[str, str, str]]] = {}
    for action in actions:
        for source in _all(action):
            if source["kind"] == "finding":
                wanted.setdefault(source["id"], []).append((action["id"], action["number"], _standing(action)))
    for row in ask("audit", STATES.format(kind="finding")):
        known = json.loads(row["state"])["corrective_actions"]
        told = sorted((each["action"], each["number"], each["standing"]) for each in known)
        if told != sorted(wanted.get(row["id"], [])):
            yield row["id"], f"finding {row['id']} knows {told} of its action, it is {wanted.get(row['id'])}"


def _standing(action: dict[str, Any]) -> str:
    if action["status"] in ("closed", "cancelled"):
        return {"closed": "closed-effective", "cancelled": "cancelled"}[action["status"]]
    return "reopened" if action["cycle"] > 1 else "open"


def _breaches(ask: Ask) -> Iterable[tuple[str, str]]:
    """Whatever was reported was too long, so each agreement about the service is broken."""
    agreed = Counter(row["service"] for row in ask("sla", _ACTIVE))
    broken = Counter(row["service"] for row in ask("sla", _BREACHED))
    for row in ask("sla", STATES.format(kind="outages")):
        service = json.loads(row["state"])["service"]
        if broken[service] != agreed[service]:
            yield row["id"], f"{service}: {broken[service]} of {agreed[service]} agreements are breached"


_ACTIVE = "SELECT state->>'service' AS service, id FROM states WHERE kind = 'sla' AND state->>'status' = 'active'"
_BREACHED = "SELECT state->>'service' AS service FROM states WHERE kind = 'period' AND state->>'status' = 'breached'"


def _follow_up(ask: Ask, actions: list[dict[str, Any]]) -> Iterable[tuple[str, str]]:
    """What the next audit must look at: actions that were re-opened, and closed ones that an audit had found."""
    wanted = {
        (action["id"], source["service"])
        for action in actions
        for source in action["sources"]
        if action["cycle"] > 1 or (action["status"] == "closed" and source["kind"] == "finding")
    }
    states = [json.loads(row["state"]) for row in ask("audit", STATES.format(kind="follow-up-item"))]
    for action, service in wanted ^ {(state["action"], state["service"]) for state in states}:
        yield action, f"follow-up of action {action} for {service}"


# --- views and their origins ------------------------------------------------------------------------------------------


def _twins(ask: Ask) -> Iterable[tuple[str, set[Any], set[Any]]]:
    """(what, as it is, as it is known elsewhere)"""
    assigned = _assignments(ask, "audit", "role-holder")
    for service in ("risk", "improvement"):
        for kind in ("known-duty", "role-roster"):
            yield f"assignments as {kind} of {service}", assigned, _assignments(ask, service, kind)
    yield "coverage", *_coverage(ask)
    yield "outages", *_outages(ask)
    yield "risks of services", *_risks_of_services(ask)


def _assignments(ask: Ask, service: str, kind: str) -> set[Any]:
    states = (json.loads(row["state"]) for row in ask(service, STATES.format(kind=kind)))
    return {tuple(sorted(each.items(), key=str)) for state in states for each in state["assignments"]}


def _coverage(ask: Ask) -> tuple[set[Any], set[Any]]:
    listed = "SELECT state->>'key' AS key FROM states WHERE kind = 'service' AND state->>'status' = 'listed'"
    services = {("service", row["key"]) for row in ask("sla", listed)}
    agreements = {("agreement", row["service"], str(row["id"])) for row in ask("sla", _ACTIVE)}
    known: set[Any] = set()
    for row in ask("sla", STATES.format(kind="coverage")):
        state = json.loads(row["state"])
        known |= {("service", each) for each in state["services"]}
        known |= {("agreement", each["service"], each["sla"]) for each in state["agreements"]}
    return services | agreements, known


def _outages(ask: Ask) -> tuple[set[Any], set[Any]]:
    real, read = set(), set()
    for row in ask("sla", STATES.format(kind="outages")):
        state = json.loads(row["state"])
        real |= {(state["service"], each["name"], each["started_at"]) for each in state["outages"]}
    for row in ask("improvement", STATES.format(kind="measure")):
        state = json.loads(row["state"])
        if state["measure"] == "longest-outage":
            read |= {(state["subject"], each["name"], each["since"]) for each in state["readings"]}
    return real, read


def _risks_of_services(ask: Ask) -> tuple[set[Any], set[Any]]:
    registered, linked = set(), set()
    for row in ask("risk", STATES.format(kind="risk")):
        registered |= {(service, row["id"]) for service in json.loads(row["state"])["services"]}
    for row in ask("risk", STATES.format(kind="service-risks")):
        state = json.loads(row["state"])
        linked |= {(state["service"], each["risk"]) for each in state["risks"]}
    return registered, linked
