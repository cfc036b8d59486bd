"""Reading the books of simulated services: what they hold by stream and by kind, and what others hear of them."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

from chassis.submissions import submissions
from events.codec import state_from_json
from events.kernel import Aggregate
from events.store.port import StoredEvent
from simulation.database import StreamKey
from simulation.outgoing import as_told
from simulation.world import Site

Complaints = Iterator[str]
"""Each is one sentence that says what is not as it was promised."""


def states_of(site: Site, tenant: str, kind: str) -> dict[UUID, Any]:
    """All states of a kind that a tenant has, by id."""
    aggregate = aggregates_of(site)[kind]
    return {
        id: state_from_json(aggregate, row.state)
        for (owner, of, id), row in site.database.tables.states.items()
        if (owner, of) == (tenant, kind)
    }


def aggregates_of(site: Site) -> dict[str, Aggregate[Any, Any, Any]]:
    """By kind; also what runs beside every service's own: submissions."""
    return {each.kind: each for each in (submissions, *(feature.aggregate for feature in site.service.features))}


def streams_of(site: Site) -> dict[StreamKey, list[StoredEvent]]:
    """The events of each stream, in their order."""
    streams: dict[StreamKey, list[StoredEvent]] = {}
    for event in site.database.tables.events:
        streams.setdefault((event.tenant, event.kind, event.stream), []).append(event)
    return streams


def announcements_of(site: Site) -> Iterator[StoredEvent]:
    """Every announcement of the log, as others hear of it."""
    tables = site.database.tables
    return (as_told(tables, event) for event in tables.events if event.public_body is not None)


def said_by(site: Site) -> Iterator[tuple[str, UUID, int]]:
    """Tenant, stream and number of everything that others have heard, also of what was lost since."""
    for event in announcements_of(site):
        yield event.tenant, event.stream, event.public_version or 0
    for each in site.database.tables.decided():
        yield each.lost.tenant, each.lost.stream, each.lost.version
