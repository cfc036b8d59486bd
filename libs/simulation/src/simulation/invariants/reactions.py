"""From service to service: whoever listens has heard all that was said, and has done what follows from it."""

from collections import Counter
from collections.abc import Iterator
from uuid import UUID

from events.bus.envelope import to_message, understood
from events.kernel import derived_id
from events.store.port import Origin
from simulation.invariants.reading import Complaints, announcements_of, said_by
from simulation.world import TENANT, Site, World


def heard(world: World) -> Complaints:
    """Whoever listens has heard each stream up to its last word."""
    for listener in world.sites.values():
        said = Counter[tuple[str, str, UUID]]()
        for source in listener.sources:
            for tenant, stream, version in said_by(world.sites[source]):
                said[tenant, source, stream] = max(said[tenant, source, stream], version)
        if "audit" in listener.sources:
            said.update({(TENANT, "audit", stream): len(ids) for stream, ids in world.rumours.items()})
        heard = {key: version for key, version in listener.database.tables.inbox.items() if version}
        for key in said.keys() | heard.keys():
            if said.get(key, 0) != heard.get(key, 0):
                yield f"{listener.name} heard {key} up to {heard.get(key, 0)}, and {said.get(key, 0)} was said"


def nothing_guessed(world: World) -> Complaints:
    """What nobody understands was parked by each who hears it, and dropped by an operator: it, and nothing else."""
    for listener in world.sites.values():
        letters = listener.database.tables.dead_letters.values()
        found = {(each.stream, each.version, each.status) for each in letters}
        heard = world.rumours if "audit" in listener.sources else ()
        if found != (wanted := {(stream, 1, "dropped") for stream in heard}):
            yield f"{listener.name} has set aside {found ^ wanted} more or less than what nobody understands"


def each_carried_out_once(world: World) -> Complaints:
    """Whatever follows from what was said stands in the books of whoever heard it, under the one id that it has."""
    for listener in world.sites.values():
        wanted = {key for source in world.sites.values() for key in _following(listener, source)}
        done = {key for key, kept in listener.database.tables.commands.items() if kept.origin is Origin.NEWS}
        if lost := wanted - done:
            yield f"lost: {listener.name} has not done {len(lost)} things that follow from what was said: {min(lost)}"
        if more := done - wanted:
            yield f"phantom: {listener.name} has done {len(more)} things that follow from nothing: {min(more)}"


def _following(listener: Site, source: Site) -> Iterator[tuple[str, UUID]]:
    """The tenants and ids of the commands that follow for a service from all that another one has said."""
    for event in announcements_of(source):
        news = understood(source.name, to_message(source.name, event)).news
        for feature in listener.service.features:
            if feature.react and isinstance(news.body, feature.hears):
                for reaction in feature.react(news):
                    yield news.tenant, derived_id(news.tenant, news.event, reaction.rule, reaction.key)
