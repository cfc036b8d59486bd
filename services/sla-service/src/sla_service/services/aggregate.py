"""The catalogue's aggregate, by name."""

from events.kernel import Aggregate
from sla_service.services.announce import announce
from sla_service.services.domain import Changed, Command, Event, Listed, Retired, Service, decide, evolve

services: Aggregate[Service, Command, Event] = Aggregate(
    kind="service",
    initial=Service(),
    decide=decide,
    evolve=evolve,
    events=(Listed, Changed, Retired),
    announce=announce,
)
