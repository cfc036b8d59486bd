"""What must hold when a world has come to rest, whatever happened in it before; each promise is one function."""

from collections.abc import Callable, Sequence

from simulation.clients import Clients
from simulation.invariants import answers, books, broadcast, reactions, views
from simulation.invariants.reading import Complaints
from simulation.world import TENANTS, World

OF_CLIENTS = (answers.acknowledged, answers.refused, answers.asked_for)
OF_ONE_SERVICE = (books.dense, books.folded, books.commands_kept, books.vouched, books.at_rest)
OF_ALL = (broadcast.announced, reactions.heard, reactions.nothing_guessed)
OF_VIEWS: Sequence[tuple[str, Callable[[World, str], Complaints]]] = (
    ("improvement", views.findings_follow),
    ("audit", views.duties_known),
    ("sla", views.coverage_counted),
    ("sla", views.outages_measured),
    ("risk", views.risks_linked),
)
"""What is known of a service elsewhere, by each tenant. Once an operator has decided to go on without something, others
know more.
"""


def complaints(world: World, clients: Clients) -> list[str]:
    """Everything that is not as it was promised, in words."""
    found = [*clients.bugs, *(each for promise in OF_CLIENTS for each in promise(world, clients))]
    for site in world.sites.values():
        found += [f"{site.name}: {each}" for promise in OF_ONE_SERVICE for each in promise(site)]
    found += [each for promise in OF_ALL for each in promise(world)]
    restored = {site.name for site in world.sites.values() if site.database.tables.restores}
    if not restored:
        found += reactions.each_carried_out_once(world)
    for tenant in TENANTS:
        found += views.every_source_has_one_action(world, tenant)
        found += [each for source, promise in OF_VIEWS if source not in restored for each in promise(world, tenant)]
    return found
