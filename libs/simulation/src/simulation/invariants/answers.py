"""What clients were told stands in the books, and nothing stands there that nobody asked for."""

from uuid import UUID

from chassis.submissions import submissions
from events.handling import metadata_of
from simulation.clients import Clients
from simulation.invariants.reading import Complaints, announcements_of
from simulation.world import World


def acknowledged(world: World, clients: Clients) -> Complaints:
    """P1: what was acknowledged stands in the books as it was told."""
    for told in clients.acknowledged:
        site = world.sites[told.service]
        kept = site.database.tables.commands.get((told.tenant, told.command))
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


def refused(world: World, clients: Clients) -> Complaints:
    """P2: what was refused has no effect, by no attempt of the same request; that a body came in may be remembered."""
    for site in world.sites.values():
        for event in site.database.tables.events:
            about = metadata_of(event)
            refusal = None if about["causation"] else clients.refused.get(about["correlation"])
            if refusal and event.kind != submissions.kind:
                yield f"phantom: {site.name} {event.position} {event.type} is of what it refused: {refusal}"


def asked_for(world: World, clients: Clients) -> Complaints:
    """P9: whatever happened was asked for by a client of that tenant, followed from its news, or was due."""
    events = {(event.tenant, event.id) for site in world.sites.values() for event in site.database.tables.events}
    events |= {(each.tenant, each.id) for site in world.sites.values() for each in announcements_of(site)}
    forgotten = {id for site in world.sites.values() for id in site.forgotten}
    for site in world.sites.values():
        for event in site.database.tables.events:
            about = metadata_of(event)
            cause = UUID(about["causation"]) if about["causation"] else None
            followed = (event.tenant, cause) in events or cause in forgotten
            due = about["by"]["person"] == "system:deadline"
            if not (followed or due or (event.tenant, UUID(about["correlation"])) in clients.asked):
                yield f"phantom: {site.name} {event.position} {event.type} was asked for by nobody of {event.tenant}"
