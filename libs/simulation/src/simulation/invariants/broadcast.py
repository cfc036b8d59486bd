"""The bus beside the log: every announcement is there with its bytes, and nothing is there that nobody said."""

from events.bus.envelope import stream_name
from simulation.invariants.reading import Complaints, announcements_of
from simulation.world import World


def announced(world: World) -> Complaints:
    """The bus bears all that was announced, byte for byte, and nothing else."""
    for site in world.sites.values():
        stream = world.server.streams.get(stream_name(site.name))
        spoken = {str(each.id): each.public_body for each in announcements_of(site)}
        given_up = {str(each.lost.event) for each in site.database.tables.decided()}
        borne = {message.headers["ce-id"]: message.body.decode() for message in stream.messages} if stream else {}
        for id in spoken.keys() - borne.keys():
            yield f"lost: {site.name} never announced event {id}"
        rumours = {str(id) for ids in world.rumours.values() for id in ids}
        for id in borne.keys() - spoken.keys() - given_up - rumours:
            yield f"phantom: the bus bears event {id} of {site.name}, which its log does not know"
        for id in borne.keys() & spoken.keys():
            if borne[id] != spoken[id]:
                yield f"the bus bears event {id} of {site.name} with other bytes"
