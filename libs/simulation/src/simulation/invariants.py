"""What must hold when a world has come to rest, whatever happened in it before; each promise is one function."""

import json
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import Any
from uuid import UUID

from chassis.submissions import submissions
from contracts.audit import NONCONFORMITIES
from events.bus.envelope import stream_name, to_message, understood
from events.codec import state_from_json, to_json
from events.handling import metadata_of, refold
from events.kernel import Aggregate, derived_id
from events.store.port import Origin, StoredEvent
from improvement_service.corrective_actions.state import OVER, CorrectiveAction
from simulation.clients import TENANT, Clients
from simulation.outgoing import as_told
from simulation.world import Site, World

Complaints = Iterator[str]
Key = tuple[str, str, UUID]


def complaints(world: World, clients: Clients) -> list[str]:
    """Everything that is not as it was promised, in words."""
    found = [*clients.bugs, *_acknowledged(world, clients), *_asked_for(world, clients)]
    for site in world.sites.values():
        found += [f"{site.name}: {each}" for promise in OF_ONE_SERVICE for each in promise(site)]
    found += [each for promise in OF_ALL for each in promise(world)]
    if not any(site.database.tables.restores for site in world.sites.values()):
        found += _each_reaction_carried_out_once(world)
    for source, promise in OF_VIEWS:
        if not world.sites[source].database.tables.restores:
            found += promise(world)
    return found


# --- what clients were told -------------------------------------------------------------------------------------------


def _acknowledged(world: World, clients: Clients) -> Complaints:
    """P1: what was acknowledged stands in the books as it was told."""
    for told in clients.acknowledged:
        site = world.sites[told.service]
        kept = site.database.tables.commands.get((TENANT, told.command))
        if told.command in site.forgotten:
            continue  # an operator has decided to go on without it
        if kept is None:
            yield f"lost: {told.service} acknowledged {told.recorded.kind} {told.recorded.stream}"
        elif (kept.stream, kept.version, kept.position) != (
            told.recorded.stream,
            told.recorded.version,
            told.recorded.position,
        ):
            yield f"{told.service} told {told.recorded}, and keeps {kept}"


def _asked_for(world: World, clients: Clients) -> Complaints:
    """Whatever happened was asked for by a client, followed from news, or was due."""
    events = {event.id for site in world.sites.values() for event in site.database.tables.events}
    events |= {id for site in world.sites.values() for id in site.forgotten}
    events |= {each.id for site in world.sites.values() for each in _told(site)}
    for site in world.sites.values():
        for event in site.database.tables.events:
            about = metadata_of(event)
            followed = about["causation"] is not None and UUID(about["causation"]) in events
            due = about["by"]["person"] == "system:deadline"
            if not (followed or due or UUID(about["correlation"]) in clients.asked):
                yield f"phantom: {site.name} {event.position} {event.type} was asked for by nobody"


# --- the books of one service -----------------------------------------------------------------------------------------


def _dense(site: Site) -> Complaints:
    """Positions (but where a restore left a gap) and versions are dense; recorded time does not go back."""
    tables = site.database.tables
    events, left_out = tables.events, set[int]()
    for restore in tables.restores:
        left_out.update(range(restore.last_position + 1, restore.goes_on_after + 1))
    if [event.position for event in events] != [n for n in range(1, tables.position + 1) if n not in left_out]:
        yield "positions are not dense"
    if any(later.recorded_at < earlier.recorded_at for earlier, later in pairwise(events)):
        yield "recorded time went back"
    for key, of_it in _streams(site).items():
        if [event.version for event in of_it] != list(range(1, len(of_it) + 1)):
            yield f"{key}: versions are not dense"
        spoken = [event.public_version for event in of_it if event.public_body is not None]
        if spoken != list(range(1, len(spoken) + 1)):
            yield f"{key}: public versions are not dense"


def _folded(site: Site) -> Complaints:
    """Each state row, with its deadline and the claims, is what follows from the events."""
    tables, aggregates, streams = site.database.tables, _aggregates(site), _streams(site)
    if set(streams) != set(tables.states):
        yield f"streams without a state, or states without a stream: {set(streams) ^ set(tables.states)}"
    claims: dict[tuple[str, str], tuple[str, UUID]] = {}
    for key, of_it in streams.items():
        tenant, kind, id = key
        aggregate, row = aggregates[kind], tables.states[key]
        state = refold(aggregate, of_it)
        if (row.version, state_from_json(aggregate, row.state), row.deadline) != (
            len(of_it),
            state,
            aggregate.deadline(state),
        ):
            yield f"{kind} {id}: its row is not the fold of its events: {row} instead of {to_json(state)}"
        claims |= {(tenant, claim): (kind, id) for claim in aggregate.claims(state)}
    if claims != tables.claims:
        yield f"claims are not those of the states: {set(claims.items()) ^ set(tables.claims.items())}"


def _commands_kept(site: Site) -> Complaints:
    """Whatever appended events left its record."""
    kept = site.database.tables.commands
    for event in site.database.tables.events:
        if (event.tenant, UUID(metadata_of(event)["command"])) not in kept:
            yield f"{event.position} {event.type}: its command has no record"


def _at_rest(site: Site) -> Complaints:
    """Nothing waits, nothing is parked."""
    tables = site.database.tables
    for letter in tables.dead_letters.values():
        if letter.status == "parked":
            yield f"parked: {letter.message.subject} of {letter.stream}: {letter.reason}"
    for (_, kind, id), parked in tables.parked_deadlines.items():
        yield f"parked deadline of {kind} {id}: {parked.reason}"
    for _, source, stream, version in tables.waiting:
        yield f"version {version} of {source} {stream} still waits"


# --- what services know of each other ---------------------------------------------------------------------------------


def _announced(world: World) -> Complaints:
    """The bus bears all that was announced, byte for byte, and nothing else."""
    for site in world.sites.values():
        stream = world.server.streams.get(stream_name(site.name))
        spoken = {str(each.id): each.public_body for each in _told(site)}
        given_up = {str(each.lost.event) for each in site.database.tables.decided()}
        borne = {message.headers["ce-id"]: message.body.decode() for message in stream.messages} if stream else {}
        for id in spoken.keys() - borne.keys():
            yield f"lost: {site.name} never announced event {id}"
        for id in borne.keys() - spoken.keys() - given_up:
            yield f"phantom: the bus bears event {id} of {site.name}, which its log does not know"
        for id in borne.keys() & spoken.keys():
            if borne[id] != spoken[id]:
                yield f"the bus bears event {id} of {site.name} with other bytes"


def _heard(world: World) -> Complaints:
    """Whoever listens has heard each stream up to its last word."""
    for listener in world.sites.values():
        said = Counter[tuple[str, str, UUID]]()
        for source in listener.sources:
            for tenant, stream, version in _said(world.sites[source]):
                said[tenant, source, stream] = max(said[tenant, source, stream], version)
        heard = {key: version for key, version in listener.database.tables.inbox.items() if version}
        for key in said.keys() | heard.keys():
            if said.get(key, 0) != heard.get(key, 0):
                yield f"{listener.name} heard {key} up to {heard.get(key, 0)}, and {said.get(key, 0)} was said"


def _each_reaction_carried_out_once(world: World) -> Complaints:
    """Whatever follows from what was said stands in the books of whoever heard it, under the one id that it has."""
    for listener in world.sites.values():
        wanted = {id for source in world.sites.values() for id in _following(listener, source)}
        done = {id for (_, id), kept in listener.database.tables.commands.items() if kept.origin is Origin.NEWS}
        if lost := wanted - done:
            yield f"lost: {listener.name} has not done {len(lost)} things that follow from what was said: {min(lost)}"
        if invented := done - wanted:
            yield f"doubled: {listener.name} has done {len(invented)} things that follow from nothing: {min(invented)}"


def _following(listener: Site, source: Site) -> Iterator[UUID]:
    """The ids of the commands that follow for a service from all that another one has said."""
    for event in _told(source):
        news = understood(source.name, to_message(source.name, event)).news
        for feature in listener.service.features:
            if feature.react and isinstance(news.body, feature.hears):
                for reaction in feature.react(news):
                    yield derived_id(news.tenant, news.event, reaction.rule, reaction.key)


def _every_source_has_one_action(world: World) -> Complaints:
    """C-01: every finding, breach and risk that calls for an action is in one, and in no two at a time."""
    occasions = _occasions(world)
    within = [
        (action, entry.source.id)
        for action in states_of(world.sites["improvement"], "corrective-action").values()
        for entry in (*action.entries, *action.former)
    ]
    actions = Counter(source for _, source in within)
    still = Counter(source for action, source in within if action.status not in OVER and action.entry_of(source))
    for source, count in occasions.items():
        if not actions[source]:
            yield f"lost: source {source} is in no action"
        if actions[source] > count:
            yield f"doubled: source {source} is in {actions[source]} actions, for {count} occasions"
        if still[source] > 1:
            yield f"doubled: source {source} is in {still[source]} actions at a time"
    for source in actions.keys() - occasions.keys():
        yield f"phantom: there is an action for {source}, which never called for one"


def _occasions(world: World) -> Counter[UUID]:
    """How often each source was said to call for an action, also by what its service has lost since."""
    found: Counter[UUID] = Counter()
    for name, calls in OCCASIONS.items():
        tables = world.sites[name].database.tables
        for event in tables.events:
            if event.public_body and event.public_type and calls(event.public_type, json.loads(event.public_body)):
                found[event.stream] += 1
        for lost in (each.lost for each in tables.decided()):
            if calls(".".join(lost.message.subject.split(".")[2:5]), json.loads(lost.message.body)):
                found[lost.stream] += 1
    return found


OCCASIONS: dict[str, Callable[[str, dict[str, Any]], bool]] = {
    "audit": lambda name, body: (
        name in ("audit.finding.finding-issued", "audit.finding.finding-amended") and body["grade"] in NONCONFORMITIES
    ),
    "sla": lambda name, _: name == "sla.period.breach-confirmed",
    "risk": lambda name, _: name == "risk.risk.risk-above-limit",
}


def _findings_follow(world: World) -> Complaints:
    """A finding knows how the actions stand whose source it is."""
    findings = states_of(world.sites["audit"], "finding")
    for id, action in states_of(world.sites["improvement"], "corrective-action").items():
        for source in action.sources:
            if source.id not in findings:
                continue
            known = {each.action: each.standing for each in findings[source.id].corrective_actions}
            if known.get(id) != _standing(action):
                yield f"finding {source.id} knows of {action.number}: {known.get(id)}, it is {_standing(action)}"


def _standing(action: CorrectiveAction) -> str:
    over = {"closed": "closed-effective", "cancelled": "cancelled"}
    return over.get(action.status) or ("reopened" if len(action.cycles) > 1 else "open")


def _duties_known(world: World) -> Complaints:
    """P-01: each service's view of the duties is that of the audit service."""
    told = {each.person: set(each.assignments) for each in states_of(world.sites["audit"], "role-holder").values()}
    for site in world.sites.values():
        if "known-duty" not in _aggregates(site):
            continue
        known = {each.person: set(each.assignments) for each in states_of(site, "known-duty").values()}
        if known != told:
            yield f"{site.name} knows other duties: {known} instead of {told}"
        by_role = [each for roster in states_of(site, "role-roster").values() for each in roster.assignments]
        if Counter(by_role) != Counter(each for duties in told.values() for each in duties):
            yield f"{site.name} has other rosters: {by_role}"


def _coverage_counted(world: World) -> Complaints:
    """S-01: coverage knows the services and agreements that there are."""
    sla = world.sites["sla"]
    listed = sorted(each.key for each in states_of(sla, "service").values() if each.status == "listed")
    counted = [list(each.services) for each in states_of(sla, "coverage").values()]
    if counted not in ([listed], [] if not listed else [listed]):
        yield f"coverage counts {counted}, and the catalogue has {listed}"


def _risks_linked(world: World) -> Complaints:
    """K-06: each risk is linked to its services."""
    site = world.sites["risk"]
    links = {(each.service, link.risk) for each in states_of(site, "service-risks").values() for link in each.risks}
    wanted = {(service, id) for id, risk in states_of(site, "risk").items() for service in risk.services}
    if links != wanted:
        yield f"links of services to risks: {links ^ wanted}"


def _told(site: Site) -> Iterator[StoredEvent]:
    """Every announcement of the log, as others hear of it."""
    tables = site.database.tables
    return (as_told(tables, event) for event in tables.events if event.public_body is not None)


def _said(site: Site) -> Iterator[tuple[str, UUID, int]]:
    """Tenant, stream and number of everything that others have heard, also of what was lost since."""
    for event in _told(site):
        yield event.tenant, event.stream, event.public_version or 0
    for each in site.database.tables.decided():
        yield each.lost.tenant, each.lost.stream, each.lost.version


OF_ONE_SERVICE = (_dense, _folded, _commands_kept, _at_rest)
OF_ALL = (_announced, _heard, _every_source_has_one_action)
OF_VIEWS: Sequence[tuple[str, Callable[[World], Complaints]]] = (
    ("improvement", _findings_follow),
    ("audit", _duties_known),
    ("sla", _coverage_counted),
    ("risk", _risks_linked),
)
"""What is known of a service elsewhere. Once an operator has decided to go on without something, others know more."""


# --- reading the books ------------------------------------------------------------------------------------------------


def states_of(site: Site, kind: str) -> dict[UUID, Any]:
    """All states of a kind, by id."""
    aggregate = _aggregates(site)[kind]
    return {
        id: state_from_json(aggregate, row.state)
        for (_, of, id), row in site.database.tables.states.items()
        if of == kind
    }


def _aggregates(site: Site) -> dict[str, Aggregate[Any, Any, Any]]:
    return {each.kind: each for each in (submissions, *(feature.aggregate for feature in site.service.features))}


def _streams(site: Site) -> dict[Key, list[StoredEvent]]:
    streams: dict[Key, list[StoredEvent]] = {}
    for event in site.database.tables.events:
        streams.setdefault((event.tenant, event.kind, event.stream), []).append(event)
    return streams
