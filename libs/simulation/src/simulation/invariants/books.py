"""The books of each service by itself: numbers without gaps, every state the fold of its events, nothing left over."""

from itertools import pairwise
from uuid import UUID

from events.codec import state_from_json, to_json
from events.handling import metadata_of, refold
from events.verifying import Evidence, History
from simulation.database import SideRow, StreamKey
from simulation.invariants.reading import Complaints, aggregates_of, streams_of
from simulation.world import Site


def dense(site: Site) -> Complaints:
    """Positions (but where a restore left a gap) and versions are dense; recorded time does not go back."""
    tables = site.database.tables
    events, left_out = tables.events, set[int]()
    for restore in tables.restores:
        left_out.update(range(restore.last_position + 1, restore.goes_on_after + 1))
    if [event.position for event in events] != [n for n in range(1, tables.position + 1) if n not in left_out]:
        yield "positions are not dense"
    if any(later.recorded_at < earlier.recorded_at for earlier, later in pairwise(events)):
        yield "recorded time went back"
    for key, of_it in streams_of(site).items():
        if [event.version for event in of_it] != list(range(1, len(of_it) + 1)):
            yield f"{key}: versions are not dense"
        spoken = [event.public_version for event in of_it if event.public_body is not None]
        if spoken != list(range(1, len(spoken) + 1)):
            yield f"{key}: public versions are not dense"


def folded(site: Site) -> Complaints:
    """Each state row, with its deadline and the claims, is what follows from the events."""
    tables, aggregates, streams = site.database.tables, aggregates_of(site), streams_of(site)
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


def commands_kept(site: Site) -> Complaints:
    """Whatever appended events left its record."""
    kept = site.database.tables.commands
    for event in site.database.tables.events:
        if (event.tenant, UUID(metadata_of(event)["command"])) not in kept:
            yield f"{event.position} {event.type}: its command has no record"


def vouched(site: Site) -> Complaints:
    """Side rows are those that the events vouch for, with that content."""
    found: dict[StreamKey, list[SideRow]] = {}
    for (tenant, kind, stream, *_), row in site.database.tables.side_rows.items():
        found.setdefault((tenant, kind, stream), []).append(row)
    aggregates, streams = aggregates_of(site), streams_of(site)
    for key in streams.keys() | found.keys():
        history = History(aggregates[key[1]])
        for event in streams.get(key, ()):
            history.add(event)
        evidence = Evidence(history.vouched)
        for row in sorted(found.get(key, ()), key=lambda row: (row.position, row.place)):
            evidence.add(row.position, row.body)
        yield from (f"{key}: {fault}" for fault in evidence.faults())


def at_rest(site: Site) -> Complaints:
    """Nothing waits, nothing is parked."""
    tables = site.database.tables
    for letter in tables.dead_letters.values():
        if letter.status == "parked":
            yield f"parked: {letter.message.subject} of {letter.stream}: {letter.reason}"
    for (_, kind, id), parked in tables.parked_deadlines.items():
        yield f"parked deadline of {kind} {id}: {parked.reason}"
    for _, source, stream, version in tables.waiting:
        yield f"version {version} of {source} {stream} still waits"
